package sqs

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of a message, as in the reference of SendMessage.
const (
	maxMessage       = 1 << 20 // bytes, with its attributes; of a batch, too
	maxAttributes    = 10
	maxAttributeName = 256
	maxDataType      = 256
	maxToken         = 128 // of a group's or deduplication id
	maxEntries       = 10
	maxEntryID       = 80
)

// legal says whether SQS takes a text: XML 1.0's characters.
func legal(s string) bool {
	for _, r := range s {
		switch {
		case r == '\t', r == '\n', r == '\r':
		case r >= 0x20 && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000:
		default:
			return false
		}
	}
	return utf8.ValidString(s)
}

func badContent(where string) *Error {
	return bad("InvalidMessageContents", "%s has characters that are not allowed: only those of XML 1.0 are (#x9, #xA, #xD, #x20 to #xD7FF, #xE000 to #xFFFD, #x10000 to #x10FFFF). Encode the rest, in base64 say.", where)
}

// attributes checks a message's attributes and brings them into their stored
// form, nil if there are none.
func attributes(given map[string]attributeValue) (map[string]Attribute, *Error) {
	if len(given) > maxAttributes {
		return nil, invalid("MessageAttributes", "there are %d, of at most %d.", len(given), maxAttributes)
	}
	if len(given) == 0 {
		return nil, nil
	}
	stored := map[string]Attribute{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !attributeName(name) {
			return nil, invalid("MessageAttributes", "%s is no name: use 1 to %d of A-Z, a-z, 0-9, '_', '-' and single '.' inside, not beginning with AWS. or Amazon.", quote(name), maxAttributeName)
		}
		a, err := attribute(name, given[name])
		if err != nil {
			return nil, err
		}
		stored[name] = a
	}
	return stored, nil
}

func attributeName(name string) bool {
	lower := strings.ToLower(name)
	return name != "" && len(name) <= maxAttributeName && only(name, "_-.") &&
		!strings.HasPrefix(name, ".") && !strings.HasSuffix(name, ".") && !strings.Contains(name, "..") &&
		!strings.HasPrefix(lower, "aws.") && !strings.HasPrefix(lower, "amazon.")
}

func attribute(name string, v attributeValue) (Attribute, *Error) {
	kind, _, _ := strings.Cut(v.DataType, ".")
	if len(v.DataType) > maxDataType || !legal(v.DataType) {
		return Attribute{}, invalid("MessageAttributes", "the data type of %s is too long (at most %d bytes) or has illegal characters.", quote(name), maxDataType)
	}
	a := Attribute{DataType: v.DataType}
	switch {
	case kind != "String" && kind != "Number" && kind != "Binary":
		return a, invalid("MessageAttributes", "the data type of %s is %s: use String, Number or Binary.", quote(name), quote(v.DataType))
	case kind == "Binary":
		if len(v.BinaryValue) == 0 || v.StringValue != nil {
			return a, invalid("MessageAttributes", "%s is Binary and needs a BinaryValue that is not empty, and no StringValue.", quote(name))
		}
		a.Binary = v.BinaryValue
		return a, nil
	case v.StringValue == nil || *v.StringValue == "" || v.BinaryValue != nil:
		return a, invalid("MessageAttributes", "%s is %s and needs a StringValue that is not empty, and no BinaryValue.", quote(name), kind)
	case !legal(*v.StringValue):
		return a, badContent("message attribute " + quote(name))
	case kind == "Number" && !number(*v.StringValue):
		return a, invalid("MessageAttributes", "the value of %s is %s, which is no number.", quote(name), quote(*v.StringValue))
	}
	a.String = *v.StringValue
	return a, nil
}

func number(s string) bool {
	if strings.Trim(s, "+-.eE0123456789") != "" {
		return false // ParseFloat takes hexadecimal, infinities and underscores
	}
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// weight is what a message counts for against the limits: body, and the names,
// types and values of its attributes.
func weight(body string, attributes map[string]Attribute) int {
	n := len(body)
	for name, a := range attributes { //hdm:order-safe it is a sum
		n += len(name) + len(a.DataType) + len(a.String) + len(a.Binary)
	}
	return n
}

// only says whether s has nothing but ASCII letters, digits and these.
func only(s, others string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}

// token says whether s may be a group's or a deduplication id.
func token(s string) bool {
	return s != "" && len(s) <= maxToken && only(s, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
}
