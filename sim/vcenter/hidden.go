package vcenter

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Marks of session keys in what is kept of a call: "{session 5}" is the key of the
// fifth foreign session, "{session hdm 000012}" one of those in this process. A
// client may write the beginning of a mark itself, and then it is sessionWritten,
// so that each text has one reading.
const (
	sessionBegins  = "{session "
	sessionWritten = "{session written "
	ownKey         = `session-(\d{6,})` // see Direct
)

var (
	sessionMarks = regexp.MustCompile(`\{session (?:(\d{1,9})\}|hdm (\d{6,})\}|written )`)
	ownKeys      = regexp.MustCompile(ownKey)
)

// hideSessions puts marks in place of session keys.
func hideSessions(body string, keys []string, number func(key string) int) string {
	any := regexp.QuoteMeta(sessionBegins) + "|" + ownKey
	for _, k := range keys {
		if strings.Contains(body, k) {
			any += "|" + regexp.QuoteMeta(k)
		}
	}
	return regexp.MustCompile(any).ReplaceAllStringFunc(body, func(found string) string {
		if found == sessionBegins {
			return sessionWritten
		}
		if own := ownKeys.FindStringSubmatch(found); own != nil && own[0] == found {
			return "{session hdm " + own[1] + "}"
		}
		return "{session " + strconv.Itoa(number(found)) + "}"
	})
}

// showSessions takes the marks out again.
func showSessions(body string, key func(number int) string) string {
	return sessionMarks.ReplaceAllStringFunc(body, func(mark string) string {
		switch m := sessionMarks.FindStringSubmatch(mark); {
		case m[1] != "":
			n, _ := strconv.Atoi(m[1]) // the pattern has digits only
			return key(n)
		case m[2] != "":
			return "session-" + m[2]
		}
		return sessionBegins
	})
}

// stars stand for a secret.
const stars = "*****"

// secretNames are words in the names of elements, and of keys of options, whose
// value is nobody's business.
var secretNames = regexp.MustCompile(`(?i)passw|passphrase|ticket|privatekey|secret|credential|token|vnc\.key`)

// element of a body.
type element struct {
	name   string
	parent int    // its place among the elements; -1: none
	secret bool   // its text is
	words  string // of a key
	keyed  bool   // one of its children names a secret: the value beside it is one
}

// text of an element, as it stands in the body.
type text struct {
	from, to int64
	value    string
	of       int // the element
}

// elements reads a SOAP body as far as it is one: end is where it ends, or breaks.
// Comments and instructions, which nobody reads, are texts without a value.
func elements(body string) (all []element, texts []text, end int64) {
	dec := xml.NewDecoder(strings.NewReader(body))
	open := -1
	for {
		token, err := dec.RawToken()
		if err != nil {
			if errors.Is(err, io.EOF) {
				end = int64(len(body))
			}
			return all, texts, end
		}
		from := end
		end = dec.InputOffset()
		switch t := token.(type) {
		case xml.StartElement:
			all = append(all, element{name: t.Name.Local, parent: open})
			open = len(all) - 1
		case xml.EndElement:
			if open < 0 {
				return all, texts, from
			}
			if open = all[open].parent; open < 0 {
				return all, texts, end
			}
		case xml.CharData:
			texts = append(texts, text{from, end, string(t), open})
			if open >= 0 && isKey(all[open].name) {
				all[open].words += string(t)
			}
		case xml.Comment, xml.Directive:
			texts = append(texts, text{from, end, "", -1})
		case xml.ProcInst:
			if t.Target != "xml" {
				texts = append(texts, text{from, end, "", -1})
			}
		}
	}
}

// withoutSecrets is a SOAP body whose secrets are stars, and in which a text that
// disguised tells of is written without entities. What is behind a place at which
// it is no XML is left out: nobody reads it.
func withoutSecrets(body string, disguised func(code, value string) bool) string {
	all, texts, end := elements(body)
	for _, e := range all {
		if e.parent >= 0 && secretNames.MatchString(e.words) {
			all[e.parent].keyed = true
		}
	}
	for i := range all {
		e := &all[i]
		if e.parent < 0 || depth(all, i) <= soapDepth {
			continue // the envelope, its body and the method
		}
		up := all[e.parent]
		isValue := strings.EqualFold(e.name, "value") || strings.EqualFold(e.name, "defaultValue")
		e.secret = up.secret || secretNames.MatchString(e.name) || up.keyed && isValue
	}
	var out strings.Builder
	at := int64(0)
	for _, t := range texts {
		out.WriteString(body[at:t.from])
		at = t.to
		code := body[t.from:t.to]
		switch {
		case t.of < 0 && t.value == "":
		case t.of >= 0 && all[t.of].secret && strings.TrimSpace(t.value) != "":
			out.WriteString(stars)
		case disguised(code, t.value):
			out.WriteString(inXML(t.value))
		default:
			out.WriteString(code)
		}
	}
	return out.String() + body[at:end]
}

func isKey(name string) bool { return name == "key" || name == "id" || name == "name" }

// soapDepth is how deep the method is in a body: Envelope, Body, method.
const soapDepth = 2

func depth(all []element, i int) (n int) {
	for ; all[i].parent >= 0 && n <= soapDepth; n++ {
		i = all[i].parent
	}
	return n
}

// disguised says whether a text has the key of a session that its code does not
// show.
func disguised(code, value string, keys []string) bool {
	if code == value {
		return false
	}
	if len(ownKeys.FindAllString(value, -1)) > len(ownKeys.FindAllString(code, -1)) {
		return true
	}
	return slices.ContainsFunc(keys, func(k string) bool { return strings.Count(value, k) > strings.Count(code, k) })
}
