"""Drives an SQS endpoint (the first argument) with boto3 and says what it saw."""
import sys
import threading
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

sqs = boto3.client(
    "sqs", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any",
    config=Config(retries={"total_max_attempts": 1}),
)


def expect(got, want):
    if got != want:
        raise SystemExit(f"got {got!r}, want {want!r}")


def refused(code, call, **parameters):
    try:
        call(**parameters)
    except ClientError as e:
        expect(e.response["Error"]["Code"], code)
        if not e.response["Error"]["Message"]:
            raise SystemExit(f"{code} without a message")
        return
    raise SystemExit(f"{code} was expected")


url = sqs.create_queue(QueueName="boto", Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
expect(sqs.get_queue_url(QueueName="boto")["QueueUrl"], url)
expect(sqs.list_queues(QueueNamePrefix="bo")["QueueUrls"], [url])

# boto3 checks the MD5s of body and attributes by itself.
attributes = {
    "text": {"DataType": "String", "StringValue": "<ä>"},
    "number": {"DataType": "Number", "StringValue": "7"},
    "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
}
body = "tab\tline\nreturn\r <&> ä 😀"
sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
got = sqs.receive_message(QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"], MaxNumberOfMessages=10)["Messages"]
expect(len(got), 1)
expect(got[0]["Body"], body)
expect(got[0]["MessageId"], sent["MessageId"])
expect(got[0]["MessageAttributes"], attributes)
expect(got[0]["Attributes"]["ApproximateReceiveCount"], "1")
sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"], VisibilityTimeout=0)
got = sqs.receive_message(QueueUrl=url)["Messages"]
sqs.delete_message(QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"])
expect("Messages" in sqs.receive_message(QueueUrl=url), False)

# A long poll wakes, and ends empty.
threading.Timer(0.5, lambda: sqs.send_message(QueueUrl=url, MessageBody="woke")).start()
began = time.monotonic()
got = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
expect(got[0]["Body"], "woke")
expect(time.monotonic() - began < 5, True)
sqs.delete_message(QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"])
expect("Messages" in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1), False)

# Batches.
out = sqs.send_message_batch(QueueUrl=url, Entries=[
    {"Id": "a", "MessageBody": "1", "MessageAttributes": attributes}, {"Id": "b", "MessageBody": "2", "DelaySeconds": 0},
    {"Id": "c", "MessageBody": "3", "DelaySeconds": 901},
])
expect([e["Id"] for e in out["Successful"]], ["a", "b"])
expect([(e["Id"], e["Code"], e["SenderFault"]) for e in out["Failed"]], [("c", "InvalidParameterValue", True)])
got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
expect(sorted(m["Body"] for m in got), ["1", "2"])
entries = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(got)]
out = sqs.change_message_visibility_batch(QueueUrl=url, Entries=[dict(e, VisibilityTimeout=30) for e in entries])
expect(len(out["Successful"]), 2)
expect(len(sqs.delete_message_batch(QueueUrl=url, Entries=entries)["Successful"]), 2)

# A FIFO queue, with a dead-letter queue.
dead = sqs.create_queue(QueueName="dead.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
fifo = sqs.create_queue(QueueName="boto.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
sqs.set_queue_attributes(QueueUrl=fifo, Attributes={"RedrivePolicy": '{"deadLetterTargetArn": "%s", "maxReceiveCount": 1}' % arn})
expect(sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"], [fifo])
first = sqs.send_message(QueueUrl=fifo, MessageBody="1", MessageGroupId="g", MessageDeduplicationId="d")
again = sqs.send_message(QueueUrl=fifo, MessageBody="1", MessageGroupId="g", MessageDeduplicationId="d")
expect(again["MessageId"], first["MessageId"])
expect(again["SequenceNumber"], first["SequenceNumber"])
got = sqs.receive_message(QueueUrl=fifo, VisibilityTimeout=0)["Messages"]
expect(len(got), 1)
expect("Messages" in sqs.receive_message(QueueUrl=fifo), False)
expect(sqs.receive_message(QueueUrl=dead)["Messages"][0]["Body"], "1")

# Errors.
refused("AWS.SimpleQueueService.NonExistentQueue", sqs.get_queue_url, QueueName="none")
refused("QueueAlreadyExists", sqs.create_queue, QueueName="boto", Attributes={"VisibilityTimeout": "1"})
refused("ReceiptHandleIsInvalid", sqs.delete_message, QueueUrl=url, ReceiptHandle="nonsense")
refused("AWS.SimpleQueueService.EmptyBatchRequest", sqs.send_message_batch, QueueUrl=url, Entries=[])
refused("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", sqs.send_message_batch, QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "1"}] * 2)
refused("InvalidMessageContents", sqs.send_message, QueueUrl=url, MessageBody="\x01")
refused("InvalidAttributeName", sqs.set_queue_attributes, QueueUrl=url, Attributes={"Colour": "red"})
sqs.purge_queue(QueueUrl=url)
refused("AWS.SimpleQueueService.PurgeQueueInProgress", sqs.purge_queue, QueueUrl=url)
sqs.delete_queue(QueueUrl=url)
refused("AWS.SimpleQueueService.NonExistentQueue", sqs.send_message, QueueUrl=url, MessageBody="m")
print("boto3", boto3.__version__, "is content")
