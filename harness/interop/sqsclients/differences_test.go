//go:build check

package sqsclients

// differences are what fauxqs does otherwise, and why the table stays as it is:
// mostly, it takes what the reference says is refused. A difference that is gone
// fails the test as one that is new does.
var differences = map[string]string{
	// Receipts.
	"a receipt handle of no receive is refused by its type":                 "fauxqs takes any handle for one of a message that is gone; DeleteMessage lists ReceiptHandleIsInvalid",
	"a receipt handle of another queue is refused":                          "as above",
	"a deletion that fails does not keep the others":                        "as above: no deletion by a handle fails",
	"a visibility timeout that is over cannot be changed":                   "fauxqs hides the message again; ChangeMessageVisibility lists MessageNotInflight",
	"a deleted message's visibility timeout cannot be changed":              "fauxqs says MessageNotInflight; AWS says InvalidParameterValue, \"Message does not exist or is not available for visibility timeout change\"",
	"a FIFO queue's message cannot be deleted after its visibility timeout": "fauxqs deletes it; the FIFO guide says that the receipt handle has expired",
	// FIFO queues.
	"a receive takes as many of a group as it can, in order":      "fauxqs hands out one of a group at a time; the FIFO guide: as many of one group as possible",
	"by DeduplicationScope messageGroup it counts within one":     "fauxqs keeps the attribute and does not act on it",
	"a standard queue has no deduplication ids":                   "fauxqs ignores the id; SendMessage says that it is of FIFO queues",
	"a group's id has at most 128 characters, without blanks":     "fauxqs takes any; SendMessage gives length and characters",
	"the name of a FIFO queue ends in .fifo, and no other's does": "fauxqs makes a standard queue with such a name; CreateQueue says that only FIFO queues end so",
	// Queues.
	"a name that no queue may have is refused":                       "fauxqs takes any name; CreateQueue gives length and characters",
	"a name of a queue that was just deleted is refused by its type": "fauxqs takes it; CreateQueue lists QueueDeletedRecently",
	"a second purge within a minute is refused by its type":          "fauxqs purges again; PurgeQueue lists PurgeQueueInProgress",
	"queues are listed by prefix, page by page":                      "fauxqs ignores MaxResults",
	"an attribute that queues do not have is refused by its type":    "fauxqs ignores it; GetQueueAttributes lists InvalidAttributeName",
	// Redrive.
	"a message in a dead-letter queue tells where it has come from": "fauxqs does not have DeadLetterQueueSourceArn",
	"a dead-letter queue knows its sources":                         "fauxqs does not have ListDeadLetterSourceQueues",
	"a dead-letter queue is of its source's type":                   "fauxqs takes any; SetQueueAttributes says that the types must agree",
	"a dead-letter queue must be there":                             "fauxqs takes any name; SetQueueAttributes refuses it",
	"a redrive policy that is none is refused":                      "fauxqs takes any text",
	// Content.
	"a message has at most 10 attributes":                                   "fauxqs takes any number; the guide on message attributes says 10",
	"message attributes without a type, a value or a good name are refused": "fauxqs takes them; the guide on message attributes gives types, values and names",
	"a trace header is a system attribute":                                  "fauxqs ignores MessageSystemAttributes",
	"characters beyond U+FFFF arrive as they were sent":                     "fauxqs refuses them; SendMessage allows #x10000 to #x10FFFF",
}
