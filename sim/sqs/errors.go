package sqs

import (
	"fmt"
	"net/http"
)

// Error is a refusal, as the API types it.
type Error struct {
	Code    string // the name in the API: "QueueDoesNotExist"
	Status  int    // HTTP
	Message string // what happened, to what, and what to do
}

func (e *Error) Error() string { return fmt.Sprintf("sqs: %s: %s", e.Code, e.Message) }

// fault says whose fault an error is, in the words of the protocols.
func (e *Error) fault() string {
	if e.Status >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}

// queryCodes are the codes of the query protocol, where they are not the names
// that the JSON protocol uses (the API's model, trait awsQueryError).
var queryCodes = map[string]string{
	"BatchEntryIdsNotDistinct":     "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
	"BatchRequestTooLong":          "AWS.SimpleQueueService.BatchRequestTooLong",
	"EmptyBatchRequest":            "AWS.SimpleQueueService.EmptyBatchRequest",
	"InvalidBatchEntryId":          "AWS.SimpleQueueService.InvalidBatchEntryId",
	"MessageNotInflight":           "AWS.SimpleQueueService.MessageNotInflight",
	"PurgeQueueInProgress":         "AWS.SimpleQueueService.PurgeQueueInProgress",
	"QueueDeletedRecently":         "AWS.SimpleQueueService.QueueDeletedRecently",
	"QueueDoesNotExist":            "AWS.SimpleQueueService.NonExistentQueue",
	"QueueNameExists":              "QueueAlreadyExists",
	"TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
	"UnsupportedOperation":         "AWS.SimpleQueueService.UnsupportedOperation",
}

func (e *Error) queryCode() string {
	if code, differs := queryCodes[e.Code]; differs {
		return code
	}
	return e.Code
}

func refuse(code string, status int, format string, args ...any) *Error {
	return &Error{Code: code, Status: status, Message: fmt.Sprintf(format, args...)}
}

func bad(code, format string, args ...any) *Error {
	return refuse(code, http.StatusBadRequest, format, args...)
}

func missing(parameter string) *Error {
	return bad("MissingParameter", "The request must contain the parameter %s.", parameter)
}

func invalid(parameter, format string, args ...any) *Error {
	return bad("InvalidParameterValue", "Parameter %s is invalid. Reason: %s", parameter, fmt.Sprintf(format, args...))
}

func overLimit(format string, args ...any) *Error {
	return refuse("OverLimit", http.StatusForbidden, format, args...)
}

func noQueue(name string) *Error {
	return bad("QueueDoesNotExist", "The specified queue does not exist: there is no queue %s here. Create it, or ask ListQueues what there is.", quote(name))
}

// quote shows what a client has sent, in a length that fits a message.
func quote(s string) string {
	const most = 100
	if len(s) > most {
		return fmt.Sprintf("%q... (%d bytes)", s[:most], len(s))
	}
	return fmt.Sprintf("%q", s)
}
