#!/usr/bin/env python3
"""Migrates a VM to the cloud and watches it, over HDM's message bus, with boto3.

Run it as

    AWS_DEFAULT_REGION=eu-west-1 HDM_BUS_TOKEN=... HDM_COMMANDS=hdm_command_queue.fifo \\
    HDM_RESPONSES=hdm_response_queue.fifo python3 migrate.py [--warm HOW] VM NETWORK=CLOUD-NETWORK...

with a cloud network for each that the VM is on. A VM that runs can be migrated
warm; HOW its data travels is online, over the WAN, or offline, by other means.
Then HDM_GUEST_USER and HDM_GUEST_PASSWORD_FILE are an administrator of the guest
and a file with the password; if the data travels offline, HDM_BRING is a command
that brings it to the cloud and ends with 0 once it is there. AWS's credentials are where
boto3 looks for them. HDM_SQS_URL is for an SQS elsewhere than at AWS, such as
that of hdm serve. Exit codes: 0 migrated, 1 refused or failed, 2 wrong usage.
The program reads and deletes all that is in the response queue: it must be the
only reader.
"""
import argparse
import json
import os
import subprocess
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

    def answers(self, request, other=lambda response: None):
        """Yields the responses to a request, and gives all others to other. Ends the
        program if the request is refused."""
        for response in self.listen():
            if response.get("request_id") != request:
                other(response)
                continue
            if response["type"] == "ErrorResponse":
                raise SystemExit(f"HDM refuses {request}: " + why(response["errors"]))
            yield response


def why(problems):
    return "; ".join(f"{p['what']} ({p.get('fix', '')})" for p in problems)


def administrator():
    """The credentials of the guest's administrator. Nothing prints them."""
    with open(os.environ["HDM_GUEST_PASSWORD_FILE"], encoding="utf-8") as file:
        return {"user": os.environ["HDM_GUEST_USER"], "password": file.read().rstrip("\r\n")}


class Offline:
    """The data of a warm migration that somebody brings to the cloud."""

    def __init__(self, bus, clone):
        self.bus, self.clone, self.bringing, self.asked, self.done = bus, clone, None, None, False

    def tell(self):
        """Lets the data be brought and, once that has ended, tells HDM whether all of
        it is there. It does not wait for that: a response that is held for hours
        comes again."""
        if self.asked is not None or self.done:
            return
        if self.bringing is None:
            self.bringing = subprocess.Popen(os.environ["HDM_BRING"], shell=True)
        elif self.bringing.poll() is not None:
            self.done, self.bringing = self.bringing.returncode == 0, None
            self.asked = self.bus.send("BulkMigrationDoneRequest", clone_request_id=self.clone, complete=self.done)

    def hear(self, response):
        """Hears what HDM makes of it. If the data is not there, it is asked for again."""
        if self.asked is None or response.get("request_id") != self.asked:
            return
        self.asked = None
        if response["type"] == "ErrorResponse":
            self.done = False
            print("HDM does not find the data: " + why(response["errors"]), flush=True)
        else:
            print(f"HDM has heard that the bulk transfer is complete: {response['complete']}", flush=True)


def main(vm, warm, networks):
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

    how = {"mode": "warm", "bulk_transfer": warm, "credentials": administrator()} if warm else {"mode": "cold"}
    clone = bus.send("SourceCloneRequest", vm=vm, target={"networks": [{"from": a, "to": b} for a, b in networks]}, **how)
    offline = Offline(bus, clone)
    for status in bus.answers(clone, offline.hear):
        print(f"{status['migration']} {status['vm']} {status['state']} {status['percent']}% {status.get('shows', '')}", flush=True)
        if status["final"]:
            if status["state"] != "completed":
                raise SystemExit("why: " + why(status.get("reasons", [])))
            return
        if status["state"] == "waiting":
            offline.tell()


def mapping(text):
    """A network on premises and one in the cloud."""
    a, _, b = text.partition("=")
    if not a or not b:
        raise argparse.ArgumentTypeError(f"{text!r}: write NETWORK=CLOUD-NETWORK")
    return a, b


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--warm", choices=["online", "offline"], help="migrate the VM while it runs; its data travels so")
    parser.add_argument("vm")
    parser.add_argument("networks", nargs="+", type=mapping)
    arguments = parser.parse_args()  # ends the program with 2 if they are wrong
    main(arguments.vm, arguments.warm, arguments.networks)
