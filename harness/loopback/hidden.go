package loopback

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"strings"

	"github.com/hdm-project/hdm/harness/recording"
	"github.com/hdm-project/hdm/sim/sqs"
)

const (
	// tokenMark stands for the message bus token in a recording.
	tokenMark = "{message bus token}"
	// markBegins is how the mark begins. A client may write that, too: it becomes
	// markWritten, so that each text has one reading.
	markBegins  = "{message bus token"
	markWritten = "{message bus token, written"
)

// hiding puts the mark into texts in place of a token, and takes it out again:
// show(hide(x)) is x.
func hiding(token string) (hide, show *strings.Replacer) {
	return strings.NewReplacer(token, tokenMark, markBegins, markWritten), strings.NewReplacer(tokenMark, token, markWritten, markBegins)
}

// hidden is a call as it can be kept: with the mark for the token, which shown
// takes back, and without passwords, which nothing brings back. A message stays
// as long as it was.
func (b *bus) hidden(c *recording.QueueCall) *recording.QueueCall {
	kept := *c
	kept.Query = b.plainForm(c.Query)
	if sqs.IsJSON(requestOf(c)) {
		kept.Body = b.plain(c.Body, b.message)
	} else {
		kept.Body = b.plainForm(c.Body)
	}
	return each(&kept, b.hide)
}

// shown is a kept call as it is made again.
func (b *bus) shown(c *recording.QueueCall) *recording.QueueCall { return each(c, b.show) }

// each is a call in which a replacer has been at every text.
func each(c *recording.QueueCall, r *strings.Replacer) *recording.QueueCall {
	all := *c
	all.Header = maps.Clone(c.Header)
	for name, value := range c.Header { //hdm:order-safe each by itself
		all.Header[name] = r.Replace(value)
	}
	for _, text := range []*string{&all.Path, &all.Query, &all.Host, &all.Body} {
		*text = r.Replace(*text)
	}
	return &all
}

// plainForm is a form whose values are plain. One that the service cannot read
// does nothing: what is wrong with it is all that is kept of a wrong parameter.
func (b *bus) plainForm(form string) string {
	pairs := strings.Split(form, "&")
	for i, pair := range pairs {
		key, escaped, _ := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(escaped)
		if _, wrong := url.QueryUnescape(key); wrong != nil || err != nil || strings.Contains(pair, ";") {
			pairs[i] = ";"
			continue
		}
		if plain := b.message(value); plain != value || b.disguised(escaped, value) {
			pairs[i] = key + "=" + url.QueryEscape(plain)
		}
	}
	return strings.Join(pairs, "&")
}

// message is a message without passwords, and with its token where it can be
// seen.
func (b *bus) message(text string) string { return b.plain(text, nil) }

// disguised says whether a value has the token where its code does not show it.
func (b *bus) disguised(code, value string) bool {
	return strings.Count(value, b.Token) > strings.Count(code, b.Token)
}

// plain goes over JSON, be it whole or broken: the value of each password becomes
// stars, and inside is asked for other strings, if it is not nil. What changes
// stays as long as it was unless inside makes it longer or shorter.
func (b *bus) plain(text string, inside func(string) string) string {
	var out strings.Builder
	secret, depth := false, 0 // within the value of a password, and how deep
	over := false             // there was a string: what follows up to the comma is wrong, and may be the password's
	for i := 0; i < len(text); {
		if text[i] != '"' {
			char := text[i]
			switch {
			case !secret:
			case depth == 0 && over && !strings.ContainsRune(",} \t\r\n", rune(char)):
				char = '*'
			case char == '[' || char == '{':
				depth++
			case depth > 0 && (char == ']' || char == '}'):
				depth--
			case depth == 0 && (char == ',' || char == '}'):
				secret = false
			case '1' <= char && char <= '9': // 0 stays: where it begins a number, it ends one
				char = '1'
			}
			out.WriteByte(char)
			i++
			continue
		}
		code := text[i:endOf(text, i)]
		i += len(code)
		var value string
		readable := json.Unmarshal([]byte(code), &value) == nil
		switch {
		case strings.HasPrefix(strings.TrimLeft(text[i:], " \t\r\n"), ":"):
			if depth == 0 {
				secret, over = readable && strings.EqualFold(value, "password"), false
			}
			out.WriteString(code)
			if colon := strings.IndexByte(text[i:], ':') + 1; depth == 0 {
				out.WriteString(text[i : i+colon])
				i += colon
			}
		case secret && readable:
			out.WriteString(padded(strings.Repeat("*", len(value)), len(code)))
			over = true
		case secret:
			out.WriteString(masked(code))
			over = true
		case readable && inside != nil:
			if other := inside(value); other != value || b.disguised(code, value) {
				code = padded(other, 0)
			}
			out.WriteString(code)
		case readable && b.disguised(code, value):
			out.WriteString(padded(value, len(code)))
		default:
			out.WriteString(code)
		}
	}
	return out.String()
}

// endOf is where a string of JSON ends that begins at i.
func endOf(text string, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// padded is a value as a string of JSON, with blanks after it up to a length.
func padded(value string, length int) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(value) // a string into memory
	code := strings.TrimSuffix(b.String(), "\n")
	return code + strings.Repeat(" ", max(0, length-len(code)))
}

// masked is a string that is not one of JSON, or breaks off, with stars in it. It
// is wrong at the same byte, which its sender is told.
func masked(code string) string {
	out := []byte(code)
	for i := 1; i < len(out); i++ {
		switch char := out[i]; {
		case char < ' ', char == '"' && i == len(out)-1:
		case char == '\\' && i+1 < len(out):
			i++
			if escaped := out[i]; escaped == 'u' {
				for range min(4, len(out)-i-1) {
					i++
					out[i] = maskedDigit(out[i])
				}
			} else if !strings.ContainsRune(`"\/bfnrt`, rune(escaped)) {
				out[i] = '*'
			}
		default:
			out[i] = '*'
		}
	}
	return string(out)
}

// maskedDigit is one of \u.
func maskedDigit(char byte) byte {
	switch {
	case strings.ContainsRune("0123456789abcdefABCDEF", rune(char)):
		return '1'
	case char == '"' || char < ' ':
		return char
	}
	return '*'
}
