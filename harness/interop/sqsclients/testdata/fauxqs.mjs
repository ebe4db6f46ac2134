// Starts fauxqs on a loopback port that the system chooses, says which, and ends
// with its standard input. Argument: the folder that has fauxqs.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const entry = join(process.argv[2], "node_modules/fauxqs/dist/app.js");
const { buildApp } = await import(pathToFileURL(entry));
const app = buildApp({ logger: false, host: "127.0.0.1" });
console.log(await app.listen({ port: 0, host: "127.0.0.1" }));
process.stdin.resume().on("end", () => process.exit(0));
