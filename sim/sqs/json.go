package sqs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"
)

// protocol is how calls and answers are written.
type protocol interface {
	read(Request) (*input, *Error)
	write(*call, *output, *Error) Response
}

const (
	jsonType = "application/x-amz-json-1.0"
	target   = "X-Amz-Target"
)

// protocolOf tells the protocols apart, as AWS does, by the header that only one
// has.
func protocolOf(r Request) protocol {
	if IsJSON(r) {
		return jsonProtocol{}
	}
	return queryProtocol{}
}

// IsJSON says whether the body of a request is read as JSON; otherwise it is a
// form.
func IsJSON(r Request) bool {
	return r.Header.Get(target) != "" || strings.HasPrefix(r.Header.Get("Content-Type"), jsonType)
}

// jsonProtocol is AWS JSON 1.0: the operation in a header, the rest in the body.
// See https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html.
type jsonProtocol struct{}

func (jsonProtocol) read(r Request) (*input, *Error) {
	operation, is := strings.CutPrefix(r.Header.Get(target), "AmazonSQS.")
	if !is {
		return nil, bad("InvalidAction", "The header %s is %s: it must be AmazonSQS. and the operation.", target, quote(r.Header.Get(target)))
	}
	in := &input{}
	if len(bytes.TrimSpace(r.Body)) > 0 {
		if !utf8.Valid(r.Body) {
			return nil, bad("SerializationException", "The body is not UTF-8.")
		}
		if err := json.Unmarshal(r.Body, in); err != nil {
			return nil, bad("SerializationException", "The body is not the JSON of %s: %s.", quote(operation), unreadable(err))
		}
	}
	in.Operation = operation
	return in, nil
}

// unreadable says where a body is wrong, and repeats nothing of it.
func unreadable(err error) string {
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return fmt.Sprintf("a %s cannot be what %s at byte %d says", wrong.Type, quote(wrong.Field), wrong.Offset)
	}
	if wrong := (*json.SyntaxError)(nil); errors.As(err, &wrong) {
		return fmt.Sprintf("syntax error at byte %d", wrong.Offset)
	}
	return "a value is not what its type needs, base64 of a BinaryValue say"
}

func (jsonProtocol) write(_ *call, out *output, err *Error) Response {
	r := Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {jsonType}}}
	var body any = out
	switch {
	case err != nil:
		r.Status = err.Status
		r.Header.Set("x-amzn-query-error", err.queryCode()+";"+err.fault())
		body = struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}{"com.amazonaws.sqs#" + err.Code, err.Message}
	case out == nil:
		return r
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if fail := e.Encode(body); fail != nil {
		panic(fmt.Sprintf("sqs: an answer that is no JSON: %v", fail)) // strings, numbers and bytes always are
	}
	r.Body = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	return r
}
