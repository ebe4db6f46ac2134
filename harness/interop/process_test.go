//go:build check

package interop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/loopback"
)

// longest bounds each program that a test runs, on a machine with much else to do.
const longest = 5 * time.Minute

// program is hdm as it is shipped, in a folder of the test's own.
type program struct {
	t      *testing.T
	path   string
	folder string
}

var builtHDM = sync.OnceValues(func() ([]byte, error) {
	return exec.Command("go", "build", "-o", filepath.Join(bin, "hdm"), "../../cmd/hdm").CombinedOutput()
})

func hdm(t *testing.T) program {
	out, err := builtHDM()
	require.NoError(t, err, "%s", out)
	return program{t, filepath.Join(bin, "hdm"), t.TempDir()}
}

// run runs a command of hdm's to its end.
func (p program) run(args ...string) (code int, stdout, stderr string) {
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Dir = p.folder
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // its exit code says it
	require.NoError(p.t, ctx.Err(), "hdm %v did not end: %s", args, &errs)
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// serving is an hdm serve that goes on.
type serving struct {
	program
	cmd   *exec.Cmd
	first string   // line
	tries []string // the commands that it prints
	info  loopback.Info
	rest  chan string
	err   bytes.Buffer
	env   []string // what its clients are told, beside how to reach it

	printed string // on stdout, after the commands; once it has ended
}

// serve starts it and reads what it says at once: the first line and the commands.
func (p program) serve(args ...string) *serving {
	s := &serving{program: p, rest: make(chan string, 1)}
	s.cmd = exec.Command(p.path, append([]string{"serve"}, args...)...)
	s.cmd.Dir, s.cmd.Stderr = p.folder, &s.err
	pipe, err := s.cmd.StdoutPipe()
	require.NoError(p.t, err)
	require.NoError(p.t, s.cmd.Start())
	p.t.Cleanup(func() {
		if s.cmd.ProcessState == nil { // the test has failed before it ended it
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
		}
	})
	out := bufio.NewReader(pipe)
	line := func() string {
		text, err := out.ReadString('\n')
		require.NoError(p.t, err, "hdm serve %v ended", args)
		return text
	}
	s.first = line()
	require.NoError(p.t, json.Unmarshal([]byte(s.first), &s.info))
	require.Contains(p.t, line(), "three commands to try")
	s.tries = []string{line(), line(), line()}
	go func() {
		rest, _ := io.ReadAll(out) // it ends with the program
		s.rest <- string(rest)
	}()
	return s
}

var ended = regexp.MustCompile(`(?m)^(passed|FAILED) .* events  ([0-9a-f]{16})$`)

// end interrupts it, sees it held to its promises, and runs the recording again:
// to the same hash. byPeople are what it says that people broke.
func (s *serving) end() (byPeople []string) {
	require.NoError(s.t, s.cmd.Process.Signal(os.Interrupt))
	rest := <-s.rest
	s.printed = rest
	_ = s.cmd.Wait() // its exit code says it
	assert.Equal(s.t, 0, s.cmd.ProcessState.ExitCode(), "%s%s", rest, &s.err)
	assert.NotContains(s.t, s.err.String(), "VIOLATED")
	was := ended.FindStringSubmatch(rest)
	require.NotNil(s.t, was, "%s", rest)
	assert.Equal(s.t, "passed", was[1])

	code, out, errs := s.run("replay", s.info.Recording)
	assert.Equal(s.t, 0, code, "%s%s", out, errs)
	same := regexp.MustCompile(`the same: (\d+) steps were done again, and the hash is ([0-9a-f]{16})`).FindStringSubmatch(out)
	require.NotNil(s.t, same, "%s%s", out, errs)
	assert.Equal(s.t, was[2], same[2])
	s.t.Logf("served: %s; replayed: %s steps, hash %s", was[0], same[1], same[2])
	for line := range strings.Lines(s.err.String()) {
		if strings.HasPrefix(line, "by a person: ") {
			byPeople = append(byPeople, line)
			assert.Contains(s.t, errs, line, "the replay says it, too")
		}
	}
	return byPeople
}

// reach is what a vSphere client must know of one of its vCenters.
func (s *serving) reach(v loopback.VCenter) []string {
	ca := s.info.CA.File
	if !filepath.IsAbs(ca) {
		ca = filepath.Join(s.folder, ca)
	}
	return []string{
		"GOVC_URL=" + v.URL, "GOVC_USERNAME=" + v.User, "GOVC_PASSWORD=" + v.Password,
		"GOVC_TLS_CA_CERTS=" + ca, "GOVC_PERSIST_SESSION=false", "HOME=" + s.t.TempDir(),
	}
}

// clients are govc at both vCenters.
func (s *serving) clients(path string) (here, there govc) {
	return govc{t: s.t, path: path, env: s.reach(s.info.OnPremises)}, govc{t: s.t, path: path, env: s.reach(s.info.Cloud)}
}
