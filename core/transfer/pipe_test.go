package transfer

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/runtime"
	"github.com/hdm-project/hdm/core/vsphere"
)

func TestAPipeCountsWhatPassesAndKnowsWhetherThatWasAll(t *testing.T) {
	m := newMeter(runtime.NewLive(), []vsphere.ExportDisk{{Used: 10}})
	p := newPipe(iotest.HalfReader(strings.NewReader("0123456789")), m.disk(0, 10))
	_, err := io.ReadFull(p, make([]byte, 4))
	require.NoError(t, err)
	_, whole, broke := p.result()
	assert.False(t, whole)
	assert.NoError(t, broke)
	assert.Equal(t, int32(40), m.progress().Percent)

	_, err = io.ReadAll(p)
	require.NoError(t, err)
	sums, whole, _ := p.result()
	assert.True(t, whole)
	s1, s256 := sha1.Sum([]byte("0123456789")), sha256.Sum256([]byte("0123456789"))
	assert.Equal(t, vsphere.Checksums{Size: 10, SHA1: hex.EncodeToString(s1[:]), SHA256: hex.EncodeToString(s256[:])}, sums)
	assert.Equal(t, int64(10), m.bytes())
	assert.Equal(t, int32(99), m.progress().Percent, "the rest is for comparing")
}

func TestAPipeSaysThatItsSourceBroke(t *testing.T) {
	m := newMeter(runtime.NewLive(), []vsphere.ExportDisk{{Used: 10}})
	cause := errors.New("lease gone")
	p := newPipe(io.MultiReader(strings.NewReader("0123"), iotest.ErrReader(cause)), m.disk(0, -1))
	_, err := io.ReadAll(p)
	require.ErrorIs(t, err, cause)
	_, whole, broke := p.result()
	assert.False(t, whole)
	assert.Equal(t, cause, broke)
}

func TestADiskCountsByWhatItUses(t *testing.T) {
	m := newMeter(runtime.NewLive(), []vsphere.ExportDisk{{Used: 900}, {Used: 100}, {Capacity: 0}})
	m.disk(0, 9).add(9)
	assert.Equal(t, int32(89), m.progress().Percent)
	assert.Zero(t, m.progress().Total, "a length is not known")
	m.disk(1, 50).add(25)
	assert.Equal(t, int32(94), m.progress().Percent)
	m.disk(2, 1).add(1)
	p := m.progress()
	assert.Equal(t, int64(60), p.Total)
	assert.Equal(t, int64(35), p.Bytes)
}

func TestStreamsDifferInSizeOrSum(t *testing.T) {
	read := vsphere.Checksums{Size: 10, SHA1: "aa", SHA256: "bb"}
	for told, same := range map[vsphere.Checksums]bool{
		{Size: 10, SHA256: "BB"}:             true,
		{Size: 10, SHA1: "AA"}:               true,
		{Size: 10, SHA1: "aa", SHA256: "bb"}: true,
		{Size: 11, SHA256: "bb"}:             false,
		{Size: 10, SHA256: "bc"}:             false,
		{Size: 10, SHA1: "aa", SHA256: "bc"}: false,
		{Size: 10, SHA1: "ab"}:               false,
		{Size: 10}:                           false, // one sum must be told
	} {
		assert.Equal(t, same, differ(read, told) == nil, "%+v", told)
	}
}
