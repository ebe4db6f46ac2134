package guest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/kernel"
)

// BenchmarkAnHourOfTenGuests is ten guests that write ten times a second for a
// virtual hour.
func BenchmarkAnHourOfTenGuests(b *testing.B) {
	for _, kind := range []guest.Kind{guest.Sequential, guest.Random, guest.Zipf, guest.Trace} {
		b.Run(string(kind), func(b *testing.B) {
			for b.Loop() {
				k := kernel.New(1)
				gs := guest.New(k, &host{})
				for i := range 10 {
					id := fmt.Sprintf("vm-%02d/0", i)
					_, err := gs.Add(guest.Spec{Name: id[:5], Disks: []string{id}, Workload: guest.Workload{Kind: kind, Rate: 10, Span: 4 << 20}})
					require.NoError(b, err)
					gs.PowerOn("on-premises", id[:5], []guest.Device{guest.Local(disk.New(id, 40<<30))})
				}
				require.NoError(b, kernel.NewDriver(k, 0, kernel.Limits{}).Run(time.Hour, nil))
				require.Greater(b, gs.All()[0].Writes(), uint64(35_000))
			}
		})
	}
}
