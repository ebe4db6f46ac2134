package protocol

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
)

// Secret is a text that nobody may read off a log, a journal, a report or an
// error: however it is printed or encoded, it shows as Redacted. Only
// EncodeRequest writes what it holds.
type Secret struct{ text string }

// Redacted is what a Secret shows as.
const Redacted = "[redacted]"

// NewSecret hides a text.
func NewSecret(text string) Secret { return Secret{text} }

// Empty reports whether there is nothing to hide.
func (s Secret) Empty() bool { return s.text == "" }

// Equal compares without telling by its duration where two secrets differ.
func (s Secret) Equal(o Secret) bool {
	a, b := sha256.Sum256([]byte(s.text)), sha256.Sum256([]byte(o.text))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String, GoString, MarshalText and LogValue show nothing.
func (s Secret) String() string               { return Redacted }
func (s Secret) GoString() string             { return Redacted }
func (s Secret) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(Redacted) }
