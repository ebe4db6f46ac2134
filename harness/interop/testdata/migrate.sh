#!/bin/sh
# Migrates a VM to the cloud and watches it, over HDM's message bus, with awscli
# (1 or 2) and the standard tools. Run it as
#
#	AWS_DEFAULT_REGION=eu-west-1 HDM_BUS_TOKEN=... HDM_COMMANDS=hdm_command_queue.fifo \
#	HDM_RESPONSES=hdm_response_queue.fifo sh migrate.sh VM NETWORK CLOUD-NETWORK [NETWORK CLOUD-NETWORK]...
#
# with a cloud network for each that the VM is on. AWS's credentials are where
# awscli looks for them. HDM_SQS_URL is for an SQS elsewhere than at AWS, such as
# that of hdm serve. Exit codes: 0 migrated, 1 refused or failed, 2 wrong usage,
# others are awscli's. The script reads and deletes all that is in the response
# queue: it must be the only reader.
set -eu

if [ $# -lt 3 ] || [ $(($# % 2)) -ne 1 ]; then
	echo "usage: migrate.sh VM NETWORK CLOUD-NETWORK [NETWORK CLOUD-NETWORK]..." >&2
	exit 2
fi
: "${HDM_BUS_TOKEN:?} ${HDM_COMMANDS:?} ${HDM_RESPONSES:?}"

sqs() {
	aws ${HDM_SQS_URL:+--endpoint-url "$HDM_SQS_URL"} sqs "$@"
}

# text writes a JSON string.
text() {
	printf '"%s"' "$(printf %s "$1" | sed 's/[\\"]/\\&/g')"
}

# field reads the first field of a name in a JSON text, a string or a number. What
# looks like one inside of a string has backslashes and is none.
field() {
	printf '%s\n' "$2" | grep -o "\"$1\":\(\"\([^\"\\]\|\\\\.\)*\"\|[a-z0-9]*\)" | head -n 1 | sed 's/^"[^"]*"://; s/^"//; s/"$//; s/\\\([\\"]\)/\1/g'
}

# say prints a line as it is; echo may see more in a backslash.
say() {
	printf '%s\n' "$*"
}

commands=$(sqs get-queue-url --queue-name "$HDM_COMMANDS" --output text)
responses=$(sqs get-queue-url --queue-name "$HDM_RESPONSES" --output text)

# send sends a request. Under one identifier it is one request, however often it
# is sent.
send() {
	set -- "$1" "$2" "{\"v\":1,\"type\":\"$1\",\"request_id\":\"$2\",\"token\":$(text "$HDM_BUS_TOKEN")$3}"
	case $HDM_COMMANDS in
	*.fifo) sqs send-message --queue-url "$commands" --message-body "$3" --message-group-id "$2" --message-deduplication-id "$2" ;;
	*) sqs send-message --queue-url "$commands" --message-body "$3" ;;
	esac >/dev/null
}

# listen waits for responses and gives each to a function, until it says that it
# has heard enough. A response is deleted once it was dealt with, not before: what
# is not deleted comes again.
listen() {
	enough=
	while [ -z "$enough" ]; do
		sqs receive-message --queue-url "$responses" --max-number-of-messages 10 --wait-time-seconds 20 --visibility-timeout 600 \
			--query 'Messages[].[ReceiptHandle, Body]' --output text >"$folder/received"
		n=0 entries=
		while IFS='	' read -r handle body; do
			[ -n "$body" ] || continue # awscli writes None when there is nothing
			"$1" "$body"
			entries="$entries${entries:+,}{\"Id\":\"$n\",\"ReceiptHandle\":\"$handle\"}"
			n=$((n + 1))
		done <"$folder/received"
		if [ -n "$entries" ]; then
			sqs delete-message-batch --queue-url "$responses" --entries "[$entries]" >/dev/null
		fi
	done
}

# heartbeat looks for one that says Ready. Older ones come first.
heartbeat() {
	[ "$(field type "$1")" = Heartbeat ] || return 0
	say "HDM is $(field status "$1"): $(field status_details "$1")"
	enough=
	[ "$(field status "$1")" != Ready ] || enough=yes
}

# refused tells of an error that answers the request.
refused() {
	[ "$(field type "$1")" = ErrorResponse ] || return 0
	say "HDM refuses $request: $(field what "$1") ($(field fix "$1"))"
	enough=yes code=1
}

# page prints the VMs of a page of the inventory.
page() {
	[ "$(field request_id "$1")" = "$request" ] || return 0
	refused "$1"
	[ "$(field type "$1")" = SourceInventoryResponse ] || return 0
	p=$(field page "$1")
	[ ! -e "$folder/page-$p" ] || return 0 # a queue may deliver it twice
	say "page $p of $(field pages "$1")"
	printf '%s\n' "$1" | sed 's/{"name":/\
&/g' | sed 1d | while read -r vm; do
		say "  $(field name "$vm") $(field power "$vm") migratable=$(field migratable "$vm")"
	done
	: >"$folder/page-$p"
	[ "$(ls "$folder" | grep -c '^page-')" -lt "$(field pages "$1")" ] || enough=yes
}

# status prints how the migration goes.
status() {
	[ "$(field request_id "$1")" = "$request" ] || return 0
	refused "$1"
	[ "$(field type "$1")" = SourceCloneResponse ] || return 0
	say "$(field migration "$1") $(field vm "$1") $(field state "$1") $(field percent "$1")% $(field shows "$1")"
	[ "$(field final "$1")" = true ] || return 0
	enough=yes
	[ "$(field state "$1")" = completed ] || { say "why: $(field what "$1")" && code=1; }
}

folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
code=0
listen heartbeat

now=$(date +%Y%m%dT%H%M%SZ)-$$
request=inventory-$now
send SourceInventoryRequest "$request" ',"page_size":2'
listen page
[ $code -eq 0 ] || exit $code

vm=$1 networks=
shift
while [ $# -gt 0 ]; do
	networks="$networks${networks:+,}{\"from\":$(text "$1"),\"to\":$(text "$2")}"
	shift 2
done
request=clone-$now
send SourceCloneRequest "$request" ",\"vm\":$(text "$vm"),\"mode\":\"cold\",\"target\":{\"networks\":[$networks]}"
listen status
exit $code
