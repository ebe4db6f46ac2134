// Package deployment is the modes in which HDM can be deployed: which component
// VMs there are, at which site, of what size, with which services in them, and
// how much may go on at once.
//
// It decides nothing by itself: everything is in one table (table.go), which is
// taken from the product's public documents (DEP-01 to DEP-03). It deploys
// nothing, and knows no names of hosts, datastores or networks. Read mode.go,
// then table.go.
package deployment

import (
	"fmt"
	"strconv"
	"strings"
)

// Class of a mode: how much it can carry.
type Class string

// The classes. UltraLite has no component VMs: it can migrate cold, and no other
// way.
const (
	UltraLite   Class = "appliance only"
	Lite        Class = "lite"
	Standard    Class = "standard"
	Performance Class = "performance"
)

// Topology of a mode: with or without redundancy.
type Topology string

// The topologies.
const (
	Standalone Topology = "standalone"
	Cluster    Topology = "cluster"
)

// Limits of a cluster's hosts: redundancy needs two, and 64 is the most that
// vSphere 7 puts into a cluster.
const (
	MinHosts = 2
	MaxHosts = 64
)

// Mode of a deployment. The zero Mode is none.
type Mode struct {
	Class    Class
	Topology Topology
	Hosts    int // of the cloud's cluster, in topology Cluster; else 0
}

// ModeError is a mode that cannot be.
type ModeError struct {
	Mode string // as it was given
	What string // why it cannot be
	Hint string // what to give instead
}

func (e *ModeError) Error() string {
	return fmt.Sprintf("deployment mode %q: %s; %s", e.Mode, e.What, e.Hint)
}

const classHint = `give "appliance only", "lite", "standard" or "performance", and perhaps "standalone" or "cluster" with the number of hosts, as in "lite cluster 3"`

// Validate returns a *ModeError for a mode that cannot be.
func (m Mode) Validate() error {
	fail := func(what, hint string) error { return &ModeError{Mode: m.String(), What: what, Hint: hint} }
	if _, known := classes[m.Class]; !known {
		return fail("there is no such class", classHint)
	}
	switch {
	case m.Topology == Standalone && m.Hosts != 0:
		return fail(fmt.Sprintf("standalone is on one host, not on %d", m.Hosts), "leave the number out, or give cluster")
	case m.Topology == Standalone:
		return nil
	case m.Topology != Cluster:
		return fail(fmt.Sprintf("there is no topology %q", m.Topology), classHint)
	case m.Hosts < MinHosts:
		return fail(fmt.Sprintf("a cluster of %d hosts has no redundancy", m.Hosts), fmt.Sprintf("give at least %d hosts, or standalone", MinHosts))
	case m.Hosts > MaxHosts:
		return fail(fmt.Sprintf("%d hosts are more than a cluster has", m.Hosts), fmt.Sprintf("give at most %d", MaxHosts))
	}
	return nil
}

// String is the mode as Parse reads it: "appliance only", "lite cluster 3",
// "standard standalone".
func (m Mode) String() string {
	switch {
	case m.Topology == Cluster:
		return fmt.Sprintf("%s %s %d", m.Class, m.Topology, m.Hosts)
	case m.Class == UltraLite:
		return string(m.Class)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s", m.Class, m.Topology))
}

// MarshalText and UnmarshalText are String and Parse.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), m.Validate() }

// UnmarshalText is Parse.
func (m *Mode) UnmarshalText(text []byte) (err error) {
	*m, err = Parse(string(text))
	return err
}

// maxText bounds what Parse looks at, in bytes.
const maxText = 64

// Parse reads a mode as people write it: a class, by any of its names, and
// perhaps a topology; standalone if none is given. Case and the kind of space or
// hyphen between words do not matter. Errors: *ModeError.
func Parse(text string) (Mode, error) {
	if len(text) > maxText {
		return Mode{}, &ModeError{Mode: text[:maxText] + "...", What: "this is too long for one", Hint: classHint}
	}
	fail := func(what string) (Mode, error) { return Mode{}, &ModeError{Mode: text, What: what, Hint: classHint} }
	words := strings.Fields(strings.NewReplacer("-", " ", "_", " ").Replace(strings.ToLower(text)))
	class, rest := className(words)
	if class == "" {
		return fail("it begins with no class")
	}
	m := Mode{Class: class, Topology: Standalone}
	switch {
	case len(rest) == 0, len(rest) == 1 && rest[0] == string(Standalone):
	case len(rest) == 2 && rest[0] == string(Cluster):
		hosts, err := strconv.Atoi(rest[1])
		if err != nil {
			return fail(fmt.Sprintf("%q is no number of hosts", rest[1]))
		}
		m.Topology, m.Hosts = Cluster, hosts
	case len(rest) == 1 && rest[0] == string(Cluster):
		return fail("a cluster needs the number of its hosts")
	default:
		return fail(fmt.Sprintf("%q is no topology", strings.Join(rest, " ")))
	}
	if err := m.Validate(); err != nil {
		return Mode{}, err
	}
	return m, nil
}

// spoken are the names of the classes, word by word.
var spoken = []struct {
	words string
	class Class
}{
	{"appliance only", UltraLite}, {"ultra lite", UltraLite}, {"ultralite", UltraLite},
	{"lite", Lite}, {"standard", Standard}, {"performance", Performance},
}

func className(words []string) (Class, []string) {
	for _, s := range spoken {
		n := len(strings.Fields(s.words))
		if len(words) >= n && strings.Join(words[:n], " ") == s.words {
			return s.class, words[n:]
		}
	}
	return "", nil
}
