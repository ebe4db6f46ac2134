package cache

import (
	"flag"
	"os"
	"testing"
)

// In a plain run the model check draws some thousands of lives; -rapid.checks
// says otherwise.
const lives = "2000"

func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", lives); err != nil {
		panic(err)
	}
	flag.Parse()
	os.Exit(m.Run())
}
