package sqs

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"unicode/utf8"
)

// queryProtocol is AWS's older one: parameters as a form, answers as XML. See
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html; lists are flat.
type queryProtocol struct{}

func (queryProtocol) read(r Request) (*input, *Error) {
	form, err := url.ParseQuery(string(r.Body))
	if err != nil {
		return nil, bad("MalformedQueryString", "The body is no form of at most some thousand parameters, key=value&key=value with the rest escaped.")
	}
	inURL, err := url.ParseQuery(r.RawQuery)
	if err != nil {
		return nil, bad("MalformedQueryString", "What follows the '?' of the URL is no form, key=value&key=value with the rest escaped.")
	}
	f := &fields{form: form, inURL: inURL}
	in := f.input()
	if in.QueueURL == "" && r.Path != "/" {
		in.QueueURL = r.Path
	}
	if f.wrong == nil && in.Operation == "" {
		f.wrong = bad("MissingAction", "The request must contain the parameter Action, in the body or the URL, or (JSON) the header %s.", target)
	}
	return in, f.wrong
}

// fields are a form that is read by the API's names. The first thing that is
// wrong stays in wrong.
type fields struct {
	form, inURL url.Values
	wrong       *Error
}

func (f *fields) input() *input {
	in := &input{
		Operation: f.text("Action"), QueueName: f.text("QueueName"), QueueURL: f.text("QueueUrl"),
		QueueNamePrefix: f.text("QueueNamePrefix"), QueueOwnerAWSAccountID: f.text("QueueOwnerAWSAccountId"),
		MaxResults: f.number("MaxResults"), NextToken: f.text("NextToken"),
		Attributes:     map[string]string{},
		AttributeNames: f.list("AttributeName"), MessageAttributeNames: f.list("MessageAttributeName"),
		MessageSystemAttributeNames: f.list("MessageSystemAttributeName"),
		MaxNumberOfMessages:         f.number("MaxNumberOfMessages"), WaitTimeSeconds: f.number("WaitTimeSeconds"),
		entry: f.entry(""),
	}
	for i := 1; ; i++ {
		prefix := "Attribute." + strconv.Itoa(i)
		if !f.has(prefix + ".Name") {
			break
		}
		in.Attributes[f.text(prefix+".Name")] = f.text(prefix + ".Value")
	}
	for i := 1; ; i++ {
		prefix := in.Operation + "RequestEntry." + strconv.Itoa(i) + "."
		if !f.has(prefix + "Id") {
			break
		}
		in.Entries = append(in.Entries, f.entry(prefix))
	}
	return in
}

func (f *fields) entry(prefix string) entry {
	return entry{
		ID: f.text(prefix + "Id"), MessageBody: f.optional(prefix + "MessageBody"), DelaySeconds: f.number(prefix + "DelaySeconds"),
		MessageAttributes:       f.attributes(prefix + "MessageAttribute."),
		MessageSystemAttributes: f.attributes(prefix + "MessageSystemAttribute."),
		MessageGroupID:          f.optional(prefix + "MessageGroupId"), MessageDeduplicationID: f.optional(prefix + "MessageDeduplicationId"),
		ReceiptHandle: f.optional(prefix + "ReceiptHandle"), VisibilityTimeout: f.number(prefix + "VisibilityTimeout"),
	}
}

func (f *fields) attributes(prefix string) map[string]attributeValue {
	var all map[string]attributeValue
	for i := 1; ; i++ {
		at := prefix + strconv.Itoa(i)
		if !f.has(at + ".Name") {
			return all
		}
		if all == nil {
			all = map[string]attributeValue{}
		}
		name := f.text(at + ".Name")
		if _, twice := all[name]; twice {
			f.fail(invalid("MessageAttributes", "%s is there twice: give each its own name.", quote(name)))
		}
		all[name] = attributeValue{
			DataType: f.text(at + ".Value.DataType"), StringValue: f.optional(at + ".Value.StringValue"), BinaryValue: f.binary(at + ".Value.BinaryValue"),
		}
	}
}

func (f *fields) fail(err *Error) {
	if f.wrong == nil {
		f.wrong = err
	}
}

func (f *fields) has(key string) bool { return f.form.Has(key) || f.inURL.Has(key) }

func (f *fields) text(key string) string {
	value := f.form.Get(key)
	if !f.form.Has(key) {
		value = f.inURL.Get(key)
	}
	if !utf8.ValidString(value) {
		f.fail(bad("MalformedQueryString", "Parameter %s is not UTF-8.", quote(key)))
	}
	return value
}

func (f *fields) optional(key string) *string {
	if !f.has(key) {
		return nil
	}
	value := f.text(key)
	return &value
}

func (f *fields) number(key string) *int {
	if !f.has(key) {
		return nil
	}
	n, err := strconv.ParseInt(f.text(key), 10, 32)
	if err != nil {
		f.fail(invalid(key, "%s is no whole number.", quote(f.text(key))))
		return nil
	}
	value := int(n)
	return &value
}

func (f *fields) binary(key string) []byte {
	if !f.has(key) {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(f.text(key))
	if err != nil {
		f.fail(invalid(key, "it is not base64."))
	}
	return b
}

// list reads AttributeName.1, AttributeName.2 and so on.
func (f *fields) list(name string) []string {
	var all []string
	for i := 1; ; i++ {
		key := name + "." + strconv.Itoa(i)
		if !f.has(key) {
			return all
		}
		all = append(all, f.text(key))
	}
}

func (queryProtocol) write(c *call, out *output, err *Error) Response {
	r := Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/xml"}}}
	x := &document{}
	if err != nil {
		r.Status = err.Status
		x.error(err, c.id())
	} else {
		x.answer(c.in.Operation, out, c.id())
	}
	r.Body = x.b.Bytes()
	return r
}
