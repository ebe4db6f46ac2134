package sqs

import "fmt"

// Error is a refusal, as the API types it.
type Error struct {
	Code    string // the name in the API: "QueueDoesNotExist"
	Status  int    // HTTP
	Message string // what happened, to what, and what to do
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }
