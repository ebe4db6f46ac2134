package sqs

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"maps"
	"slices"
	"strconv"
)

const namespace = "http://queue.amazonaws.com/doc/2012-11-05/"

// document is an answer of the query protocol in the making.
type document struct{ b bytes.Buffer }

// in writes an element and what it contains.
func (x *document) in(name string, content func()) {
	x.b.WriteString("<" + name + ">")
	content()
	x.b.WriteString("</" + name + ">")
}

// text writes an element with a text.
func (x *document) text(name, value string) {
	x.in(name, func() { x.escape(value) })
}

// some writes an element with a text, unless that is empty.
func (x *document) some(name, value string) {
	if value != "" {
		x.text(name, value)
	}
}

func (x *document) escape(s string) {
	_ = xml.EscapeText(&x.b, []byte(s)) // a buffer takes everything
}

func (x *document) root(name string, content func()) {
	x.b.WriteString(xml.Header + "<" + name + ` xmlns="` + namespace + `">`)
	content()
	x.b.WriteString("</" + name + ">")
}

func (x *document) error(err *Error, id string) {
	x.root("ErrorResponse", func() {
		x.in("Error", func() {
			x.text("Type", err.fault())
			x.text("Code", err.queryCode())
			x.text("Message", err.Message)
			x.b.WriteString("<Detail/>")
		})
		x.text("RequestId", id)
	})
}

func (x *document) answer(operation string, out *output, id string) {
	x.root(operation+"Response", func() {
		if out != nil {
			x.in(operation+"Result", func() { x.result(operation, out) })
		}
		x.in("ResponseMetadata", func() { x.text("RequestId", id) })
	})
}

func (x *document) result(operation string, out *output) {
	x.some("QueueUrl", out.QueueURL)
	for _, url := range slices.Concat(out.QueueURLs, out.SourceURLs) {
		x.text("QueueUrl", url)
	}
	x.some("NextToken", out.NextToken)
	x.attributes(out.Attributes)
	x.sent(out.sentMessage)
	for _, m := range out.Messages {
		x.in("Message", func() { x.message(m) })
	}
	for _, e := range out.Successful {
		x.in(operation+"ResultEntry", func() {
			x.text("Id", e.ID)
			x.sent(e.sentMessage)
		})
	}
	for _, e := range out.Failed {
		x.in("BatchResultErrorEntry", func() {
			x.text("Id", e.ID)
			x.text("Code", e.Code)
			x.text("Message", e.Message)
			x.text("SenderFault", strconv.FormatBool(e.SenderFault))
		})
	}
}

func (x *document) sent(m *sentMessage) {
	if m == nil {
		return
	}
	x.text("MessageId", m.MessageID)
	x.text("MD5OfMessageBody", m.MD5OfBody)
	x.some("MD5OfMessageAttributes", m.MD5OfAttributes)
	x.some("MD5OfMessageSystemAttributes", m.MD5OfSystemAttributes)
	x.some("SequenceNumber", m.SequenceNumber)
}

func (x *document) message(m receivedMessage) {
	x.text("MessageId", m.MessageID)
	x.text("ReceiptHandle", m.ReceiptHandle)
	x.text("MD5OfBody", m.MD5OfBody)
	x.text("Body", m.Body)
	x.attributes(m.Attributes)
	x.some("MD5OfMessageAttributes", m.MD5OfAttributes)
	for _, name := range slices.Sorted(maps.Keys(m.Attributed)) {
		v := m.Attributed[name]
		x.in("MessageAttribute", func() {
			x.text("Name", name)
			x.in("Value", func() {
				if v.StringValue != nil {
					x.text("StringValue", *v.StringValue)
				} else {
					x.text("BinaryValue", base64.StdEncoding.EncodeToString(v.BinaryValue))
				}
				x.text("DataType", v.DataType)
			})
		})
	}
}

func (x *document) attributes(all map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		x.in("Attribute", func() {
			x.text("Name", name)
			x.text("Value", all[name])
		})
	}
}
