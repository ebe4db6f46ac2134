package protocol

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// Secret is a text that nobody may read off a log, a journal, a report or an
// error: however it is printed or encoded, it shows as Redacted. Only
// EncodeRequest writes what it holds.
type Secret struct {
	// A pointer: package fmt does not call the methods of a value in an unexported
	// field, and would print a text.
	held *string
}

// Redacted is what a Secret shows as.
const Redacted = "[redacted]"

// NewSecret hides a text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{} // so that equal secrets are deeply equal
	}
	return Secret{&text}
}

// Empty reports whether there is nothing to hide.
func (s Secret) Empty() bool { return s.text() == "" }

func (s Secret) text() string {
	if s.held == nil {
		return ""
	}
	return *s.held
}

// Equal compares without telling by its duration where two secrets differ.
func (s Secret) Equal(o Secret) bool {
	a, b := sha256.Sum256([]byte(s.text())), sha256.Sum256([]byte(o.text()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// Format, String, GoString, MarshalText and LogValue show nothing.
func (s Secret) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, Redacted) }
func (s Secret) String() string               { return Redacted }
func (s Secret) GoString() string             { return Redacted }
func (s Secret) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(Redacted) }
