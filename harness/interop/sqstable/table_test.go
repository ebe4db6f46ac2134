package sqstable_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/interop/sqstable"
	"github.com/hdm-project/hdm/sim/sqs"
)

func TestOurServiceDoesWhatClientsCountOn(t *testing.T) {
	for _, b := range sqstable.Table() {
		t.Run(b.Name, func(t *testing.T) {
			clock := sqstable.NewClock()
			service := sqs.New(sqs.Config{Clock: clock})
			require.NoError(t, b.Try(sqstable.Env{
				Client: sqstable.Client("http://sqs.invalid", sqstable.InProcess{Service: service, Clock: clock}),
				Pass:   clock.Pass,
				Later:  func(d time.Duration, f func()) { clock.After(d, f) },
			}))
		})
	}
}
