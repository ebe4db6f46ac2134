package oracle

import "strings"

// leftovers is what a migration that is over tells people that it could not put
// back, in its own words; "" if it says nothing. A step is tried a fixed number
// of times (SYS-02), and so is putting it back: after that a person has to look
// and can only if told of it. So what is listed is accepted, and nothing
// besides.
type leftovers string

// What can be left.
const (
	leftPower    = "restart source"
	leftSnapshot = "remove snapshot"
	leftPool     = "return to pool"
	leftCopy     = "destroy copy"
	leftAll      = "confirm off" // the copy may run: then nothing else may be put back (MIG-13)
)

// byPeople is in what it says when somebody else started the copy, with which
// it leaves everything as it is.
const byPeople = "powered on the copy"

func (l leftovers) has(what string) bool {
	return l.says("could not "+what+":") || l.says("could not "+leftAll+":") || l.says(byPeople)
}

func (l leftovers) says(words string) bool { return strings.Contains(string(l), words) }
