// Drives an SQS endpoint with the AWS SDK for JavaScript, which speaks JSON, and
// says what it saw. Arguments: the folder that has the SDK, and the endpoint.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";

const sdk = createRequire(join(process.argv[2], "package.json"))("@aws-sdk/client-sqs");
const client = new sdk.SQSClient({
  endpoint: process.argv[3], region: "us-east-1", maxAttempts: 1, credentials: { accessKeyId: "any", secretAccessKey: "any" },
});
const call = (operation, input) => client.send(new sdk[operation + "Command"](input));
const refused = async (type, operation, input) => {
  await assert.rejects(call(operation, input), (e) => {
    assert.equal(e.name, type);
    assert.ok(e instanceof sdk.SQSServiceException, "is typed");
    return true;
  });
};

const { QueueUrl } = await call("CreateQueue", { QueueName: "js", Attributes: { VisibilityTimeout: "60" } });
assert.equal((await call("GetQueueUrl", { QueueName: "js" })).QueueUrl, QueueUrl);
assert.deepEqual((await call("ListQueues", { QueueNamePrefix: "j" })).QueueUrls, [QueueUrl]);

// The SDK checks the MD5s of bodies by itself.
const MessageAttributes = {
  text: { DataType: "String", StringValue: "<ä>" }, bytes: { DataType: "Binary", BinaryValue: new Uint8Array([0, 255]) },
};
const MessageBody = "tab\tline\n <&> ä 😀";
const sent = await call("SendMessage", { QueueUrl, MessageBody, MessageAttributes });
let [m] = (await call("ReceiveMessage", { QueueUrl, MessageSystemAttributeNames: ["All"], MessageAttributeNames: ["All"] })).Messages;
assert.equal(m.Body, MessageBody);
assert.equal(m.MessageId, sent.MessageId);
assert.equal(m.MessageAttributes.text.StringValue, "<ä>");
assert.deepEqual([...m.MessageAttributes.bytes.BinaryValue], [0, 255]);
assert.equal(m.Attributes.ApproximateReceiveCount, "1");
await call("ChangeMessageVisibility", { QueueUrl, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 0 });
[m] = (await call("ReceiveMessage", { QueueUrl })).Messages;
await call("DeleteMessage", { QueueUrl, ReceiptHandle: m.ReceiptHandle });

// A long poll wakes, and ends empty.
const poll = call("ReceiveMessage", { QueueUrl, WaitTimeSeconds: 10 });
setTimeout(() => call("SendMessage", { QueueUrl, MessageBody: "woke" }), 300);
[m] = (await poll).Messages;
assert.equal(m.Body, "woke");
await call("DeleteMessage", { QueueUrl, ReceiptHandle: m.ReceiptHandle });
assert.equal((await call("ReceiveMessage", { QueueUrl, WaitTimeSeconds: 1 })).Messages, undefined);

// Batches.
const out = await call("SendMessageBatch", { QueueUrl, Entries: [{ Id: "a", MessageBody: "1" }, { Id: "b", MessageBody: "2", DelaySeconds: 901 }] });
assert.deepEqual(out.Successful.map((e) => e.Id), ["a"]);
assert.deepEqual(out.Failed.map((e) => [e.Id, e.SenderFault]), [["b", true]]);
[m] = (await call("ReceiveMessage", { QueueUrl, MaxNumberOfMessages: 10 })).Messages;
assert.equal((await call("DeleteMessageBatch", { QueueUrl, Entries: [{ Id: "a", ReceiptHandle: m.ReceiptHandle }] })).Successful.length, 1);

// A FIFO queue.
const fifo = (await call("CreateQueue", { QueueName: "js.fifo", Attributes: { FifoQueue: "true", ContentBasedDeduplication: "true" } })).QueueUrl;
const first = await call("SendMessage", { QueueUrl: fifo, MessageBody: "1", MessageGroupId: "g" });
const again = await call("SendMessage", { QueueUrl: fifo, MessageBody: "1", MessageGroupId: "g" });
assert.equal(again.SequenceNumber, first.SequenceNumber);
assert.equal((await call("ReceiveMessage", { QueueUrl: fifo, MaxNumberOfMessages: 10 })).Messages.length, 1);
const { Attributes } = await call("GetQueueAttributes", { QueueUrl: fifo, AttributeNames: ["All"] });
assert.equal(Attributes.ApproximateNumberOfMessagesNotVisible, "1");

// Errors.
await refused("QueueDoesNotExist", "GetQueueUrl", { QueueName: "none" });
await refused("QueueNameExists", "CreateQueue", { QueueName: "js", Attributes: { VisibilityTimeout: "1" } });
await refused("ReceiptHandleIsInvalid", "DeleteMessage", { QueueUrl, ReceiptHandle: "nonsense" });
await refused("EmptyBatchRequest", "SendMessageBatch", { QueueUrl, Entries: [] });
await refused("InvalidMessageContents", "SendMessage", { QueueUrl, MessageBody: "\u0001" });
await call("PurgeQueue", { QueueUrl });
await refused("PurgeQueueInProgress", "PurgeQueue", { QueueUrl });
await call("DeleteQueue", { QueueUrl });
await refused("QueueDoesNotExist", "SendMessage", { QueueUrl, MessageBody: "m" });
console.log("the AWS SDK for JavaScript is content");
