package cache

import "io"

// Device is where a cache lies: its region of a cache device.
type Device interface {
	io.ReaderAt
	io.WriterAt
	Flush() error // makes durable what was written
}

// Drive does the operations on the device that out asks for, and those that
// follow, one after another. It returns what is left for the owner: fetches,
// what is done, chunks.
func Drive(c *Cache, dev Device, out Out) Out {
	var rest Out
	ops := out.Ops
	for {
		rest.Done = append(rest.Done, out.Done...)
		rest.Chunks = append(rest.Chunks, out.Chunks...)
		rest.FlushWanted = out.FlushWanted
		for len(ops) > 0 && ops[0].Kind == Fetch {
			rest.Ops, ops = append(rest.Ops, ops[0]), ops[1:]
		}
		if len(ops) == 0 {
			return rest
		}
		out = c.Complete(ops[0].ID, do(dev, ops[0]))
		ops = append(ops[1:], out.Ops...)
	}
}

func do(dev Device, op Op) error {
	switch op.Kind {
	case DeviceRead:
		n, err := dev.ReadAt(op.Data, op.Off)
		if n == len(op.Data) {
			return nil
		}
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return err
	case DeviceWrite:
		_, err := dev.WriteAt(op.Data, op.Off)
		return err
	default:
		return dev.Flush()
	}
}
