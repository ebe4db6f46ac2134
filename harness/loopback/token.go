package loopback

import (
	"crypto/rand"
	"encoding/hex"
)

// token draws one for a message bus, in the form of run.Options. The machine makes
// it: what can be computed from the seed, which the recording holds, guards
// nothing. A replay draws one, too. It is as long, so that the run is the same, and
// what a client once guessed is wrong then as well.
func token() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
