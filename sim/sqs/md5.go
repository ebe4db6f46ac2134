package sqs

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
)

func md5OfBody(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

// md5OfAttributes is MD5OfMessageAttributes, "" of no attributes: of each, by
// name, the name, the data type, a byte for how the value travels (1 as text, 2
// as bytes) and the value, each after its length in four bytes, big endian. See
// "Calculating the MD5 message digest for message attributes" in the developer
// guide.
func md5OfAttributes(attributes map[string]Attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	hash := md5.New()
	field := func(b []byte) {
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(b)))
		hash.Write(length[:])
		hash.Write(b)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		field([]byte(name))
		field([]byte(a.DataType))
		if a.binary() {
			hash.Write([]byte{2})
			field(a.Binary)
		} else {
			hash.Write([]byte{1})
			field([]byte(a.String))
		}
	}
	return hex.EncodeToString(hash.Sum(nil))
}

func (a Attribute) binary() bool {
	kind, _, _ := strings.Cut(a.DataType, ".")
	return kind == "Binary"
}
