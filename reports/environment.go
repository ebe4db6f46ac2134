package reports

import (
	"fmt"
	"runtime"

	"github.com/elastic/go-sysinfo"
)

// Build says which program ran.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"` // empty if the build did not know it
	Go      string `json:"go"`
}

// Environment says what a program ran on.
type Environment struct {
	Build
	OS            string `json:"os"`
	KernelVersion string `json:"kernel"`
	Arch          string `json:"arch"`
	Cores         int    `json:"cores"`      // that the program could use
	MaxProcs      int    `json:"gomaxprocs"` // that it did use
	MemoryBytes   uint64 `json:"memory_bytes"`
	Containerized bool   `json:"containerized"`
}

// ReadEnvironment asks the machine. It never asks for names or addresses, so
// that a report can be published as it is.
func ReadEnvironment(b Build) (Environment, error) {
	host, err := sysinfo.Host()
	if err != nil {
		return Environment{}, fmt.Errorf("reading facts of this machine for run.json: %w", err)
	}
	memory, err := host.Memory()
	if err != nil {
		return Environment{}, fmt.Errorf("reading this machine's memory for run.json: %w", err)
	}
	info := host.Info()
	e := Environment{
		Build: b, OS: runtime.GOOS, KernelVersion: info.KernelVersion, Arch: info.Architecture,
		Cores: runtime.NumCPU(), MaxProcs: runtime.GOMAXPROCS(0), MemoryBytes: memory.Total,
		Containerized: info.Containerized != nil && *info.Containerized,
	}
	if info.OS != nil {
		e.OS = info.OS.Name + " " + info.OS.Version
	}
	return e, nil
}
