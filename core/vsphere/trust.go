package vsphere

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// Trust is whom a live appliance believes to be a vCenter or a host of it.
type Trust struct {
	Roots *x509.CertPool // nil: the system's
}

// TrustPEM trusts the certificates in pem, and those that they signed.
func TrustPEM(pem []byte) (*Trust, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("vsphere: no certificate in the PEM given; give the vCenter's CA certificate (https://<vCenter>/certs/download.zip)")
	}
	return &Trust{Roots: pool}, nil
}

func (t *Trust) config() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t != nil {
		c.RootCAs = t.Roots
	}
	return c
}
