//go:build check

package foreign

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// JavaScriptSDK is the SQS client of the AWS SDK for JavaScript.
const JavaScriptSDK = "@aws-sdk/client-sqs@3.1175.0"

const install = "install what this test needs: apt install awscli python3-boto3 nodejs npm (Node 20 or later)"

// Tool finds a program of Debian's.
func Tool(t *testing.T, name string) (path string) {
	path = filepath.Join("/usr/bin", name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	path, err := exec.LookPath(name)
	require.NoError(t, err, install)
	return path
}

// Python finds Debian's Python, which has boto3.
func Python(t *testing.T) (path string) {
	path = Tool(t, "python3")
	out, err := exec.Command(path, "-c", "import boto3").CombinedOutput()
	require.NoError(t, err, "%s: %s", install, out)
	return path
}

// Env is the environment for a client of AWS: credentials that no service checks,
// and nothing of the user's that could tell it of another endpoint.
func Env() []string {
	return append(os.Environ(),
		"AWS_ACCESS_KEY_ID=any", "AWS_SECRET_ACCESS_KEY=any", "AWS_DEFAULT_REGION=us-east-1", "AWS_REGION=us-east-1", "AWS_MAX_ATTEMPTS=1",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=",
	)
}

// NPM installs exact versions into the user's cache, once, and returns the folder
// whose node_modules has them.
func NPM(t *testing.T, packages ...string) (dir string) {
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	parent := filepath.Join(cache, "hdm-interop")
	name := ""
	for _, p := range packages {
		name += "+" + filepath.Base(p)
	}
	dir = filepath.Join(parent, name[1:])
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	require.NoError(t, os.MkdirAll(parent, 0o755))
	fresh, err := os.MkdirTemp(parent, "new-")
	require.NoError(t, err)
	c := exec.Command(Tool(t, "npm"), append([]string{"install", "--prefix", fresh, "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact"}, packages...)...)
	c.Dir = fresh
	out, err := c.CombinedOutput()
	require.NoError(t, err, "npm install %v: %s", packages, out)
	if err := os.Rename(fresh, dir); err != nil && !errors.Is(err, os.ErrExist) { // another test was first
		require.DirExists(t, dir, "%v", err)
		require.NoError(t, os.RemoveAll(fresh))
	}
	return dir
}
