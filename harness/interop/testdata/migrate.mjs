// Migrates a VM to the cloud and watches it, over HDM's message bus, with the AWS
// SDK for JavaScript (npm install @aws-sdk/client-sqs). Run it as
//
//	AWS_REGION=eu-west-1 HDM_BUS_TOKEN=... HDM_COMMANDS=hdm_command_queue.fifo \
//	HDM_RESPONSES=hdm_response_queue.fifo node migrate.mjs VM NETWORK=CLOUD-NETWORK...
//
// with a cloud network for each that the VM is on. AWS's credentials are where the
// SDK looks for them. HDM_SQS_URL is for an SQS elsewhere than at AWS, such as that
// of hdm serve. Exit codes: 0 migrated, 1 refused or failed, 2 wrong usage. The
// program reads and deletes all that is in the response queue: it must be the only
// reader.
import { randomUUID } from "node:crypto";
import { env, argv, exit } from "node:process";
import { DeleteMessageCommand, GetQueueUrlCommand, ReceiveMessageCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const [vm, ...mapped] = argv.slice(2);
const networks = mapped.map((m) => ({ from: m.slice(0, m.indexOf("=")), to: m.slice(m.indexOf("=") + 1) }));
if (networks.length === 0 || mapped.some((m) => !/^.+=.+$/.test(m))) {
  console.error("usage: migrate.mjs VM NETWORK=CLOUD-NETWORK...");
  exit(2);
}

const sqs = new SQSClient(env.HDM_SQS_URL ? { endpoint: env.HDM_SQS_URL } : {});
const queue = async (name) => (await sqs.send(new GetQueueUrlCommand({ QueueName: name }))).QueueUrl;
const commands = await queue(env.HDM_COMMANDS), responses = await queue(env.HDM_RESPONSES);

// send sends a request and returns its identifier. Under one identifier it is one
// request, however often it is sent.
async function send(type, fields) {
  const request_id = `${type}/${randomUUID()}`;
  const MessageBody = JSON.stringify({ v: 1, type, request_id, token: env.HDM_BUS_TOKEN, ...fields });
  const fifo = commands.endsWith(".fifo") ? { MessageGroupId: request_id, MessageDeduplicationId: request_id } : {};
  await sqs.send(new SendMessageCommand({ QueueUrl: commands, MessageBody, ...fifo }));
  return request_id;
}

// listen yields responses as they come, without end. A response is deleted once it
// was dealt with, not before: what is not deleted comes again.
const heard = new Set();
async function* listen() {
  for (;;) {
    const input = { QueueUrl: responses, MaxNumberOfMessages: 10, WaitTimeSeconds: 20, VisibilityTimeout: 600 };
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand(input));
    for (const { Body, ReceiptHandle } of Messages) {
      const response = JSON.parse(Body);
      if (!heard.has(response.response_id)) { // a queue may deliver it twice
        yield response;
        heard.add(response.response_id);
      }
      await sqs.send(new DeleteMessageCommand({ QueueUrl: responses, ReceiptHandle }));
    }
  }
}

const why = (problems = []) => problems.map((p) => `${p.what} (${p.fix ?? ""})`).join("; ");

// answers yields the responses to a request. Ends the program if it is refused.
async function* answers(request) {
  for await (const response of listen()) {
    if (response.request_id !== request) continue;
    if (response.type === "ErrorResponse") {
      console.error(`HDM refuses ${request}: ${why(response.errors)}`);
      exit(1);
    }
    yield response;
  }
}

for await (const response of listen()) {
  if (response.type !== "Heartbeat") continue;
  console.log(`HDM is ${response.status}: ${response.status_details}`);
  if (response.status === "Ready") break;
}

const pages = new Set();
for await (const { page, pages: all, vms } of answers(await send("SourceInventoryRequest", { page_size: 2 }))) {
  pages.add(page);
  console.log(`page ${page} of ${all}`);
  for (const v of vms) console.log(`  ${v.name} ${v.power} migratable=${v.migratable} ${why(v.reasons)}`);
  if (pages.size === all) break;
}

for await (const s of answers(await send("SourceCloneRequest", { vm, mode: "cold", target: { networks } }))) {
  console.log(`${s.migration} ${s.vm} ${s.state} ${s.percent}% ${s.shows ?? ""}`);
  if (!s.final) continue;
  if (s.state === "completed") exit(0);
  console.error(`why: ${why(s.reasons)}`);
  exit(1);
}
