package guest_test

type host struct{}

func (*host) Tools(string, string, bool) {}
func (*host) Halted(string, string)      {}
