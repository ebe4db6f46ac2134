#!/usr/bin/env python3
"""Migrates a VM to the cloud and watches it, over HDM's message bus, with boto3.

Run it as

    AWS_DEFAULT_REGION=eu-west-1 HDM_BUS_TOKEN=... HDM_COMMANDS=hdm_command_queue.fifo \\
    HDM_RESPONSES=hdm_response_queue.fifo python3 migrate.py VM NETWORK=CLOUD-NETWORK...

with a cloud network for each that the VM is on. AWS's credentials are where
boto3 looks for them. HDM_SQS_URL is for an SQS elsewhere than at AWS, such as
that of hdm serve. Exit codes: 0 migrated, 1 refused or failed, 2 wrong usage.
The program reads and deletes all that is in the response queue: it must be the
only reader.
"""
import json
import os
import sys
import uuid

import boto3


class Bus:
    """HDM's message bus: a queue for commands, one for responses."""

    def __init__(self):
        self.sqs = boto3.client("sqs", endpoint_url=os.environ.get("HDM_SQS_URL"))
        self.commands = self.sqs.get_queue_url(QueueName=os.environ["HDM_COMMANDS"])["QueueUrl"]
        self.responses = self.sqs.get_queue_url(QueueName=os.environ["HDM_RESPONSES"])["QueueUrl"]
        self.heard = set()

    def send(self, kind, **fields):
        """Sends a request and returns its identifier. Under one identifier it is
        one request, however often it is sent."""
        request = f"{kind}/{uuid.uuid4()}"
        body = {"v": 1, "type": kind, "request_id": request, "token": os.environ["HDM_BUS_TOKEN"], **fields}
        fifo = {"MessageGroupId": request, "MessageDeduplicationId": request} if self.commands.endswith(".fifo") else {}
        self.sqs.send_message(QueueUrl=self.commands, MessageBody=json.dumps(body), **fifo)
        return request

    def listen(self):
        """Yields responses as they come, without end. A response is deleted once
        it was dealt with, not before: what is not deleted comes again."""
        while True:
            got = self.sqs.receive_message(QueueUrl=self.responses, MaxNumberOfMessages=10, WaitTimeSeconds=20, VisibilityTimeout=600)
            for message in got.get("Messages", []):
                response = json.loads(message["Body"])
                if response["response_id"] not in self.heard:  # a queue may deliver it twice
                    yield response
                    self.heard.add(response["response_id"])
                self.sqs.delete_message(QueueUrl=self.responses, ReceiptHandle=message["ReceiptHandle"])

    def answers(self, request):
        """Yields the responses to a request. Ends the program if it is refused."""
        for response in self.listen():
            if response.get("request_id") != request:
                continue
            if response["type"] == "ErrorResponse":
                raise SystemExit(f"HDM refuses {request}: " + why(response["errors"]))
            yield response


def why(problems):
    return "; ".join(f"{p['what']} ({p.get('fix', '')})" for p in problems)


def main(vm, networks):
    bus = Bus()
    for response in bus.listen():
        if response["type"] == "Heartbeat":
            print(f"HDM is {response['status']}: {response['status_details']}", flush=True)
            if response["status"] == "Ready":
                break

    pages = {}
    for response in bus.answers(bus.send("SourceInventoryRequest", page_size=2)):
        pages[response["page"]] = response
        print(f"page {response['page']} of {response['pages']}", flush=True)
        for v in response["vms"]:
            print(f"  {v['name']} {v['power']} migratable={v['migratable']}", why(v.get("reasons", [])), flush=True)
        if len(pages) == response["pages"]:
            break

    target = {"networks": [{"from": a, "to": b} for a, b in networks]}
    for status in bus.answers(bus.send("SourceCloneRequest", vm=vm, mode="cold", target=target)):
        print(f"{status['migration']} {status['vm']} {status['state']} {status['percent']}% {status.get('shows', '')}", flush=True)
        if status["final"]:
            if status["state"] != "completed":
                raise SystemExit("why: " + why(status.get("reasons", [])))
            return


if __name__ == "__main__":
    mapped = [argument.partition("=") for argument in sys.argv[2:]]
    if not mapped or not all(to for _, _, to in mapped):
        print("usage: migrate.py VM NETWORK=CLOUD-NETWORK...", file=sys.stderr)
        raise SystemExit(2)
    main(sys.argv[1], [(a, b) for a, _, b in mapped])
