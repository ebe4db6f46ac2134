package vcenter

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"time"

	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	sdkPath  = "/sdk"
	hostName = "vcenter.invalid" // where URLs point to until Serve has an address
	maxBody  = 32 << 20          // of a SOAP request
)

// Target is the method ("PowerOnVM_Task") and the object of a request to a
// soap.RoundTripper.
func Target(req soap.HasFault) (method string, this types.ManagedObjectReference) {
	body := reflect.ValueOf(req).Elem().FieldByName("Req")
	if !body.IsValid() || body.IsNil() {
		return "", this
	}
	method = body.Elem().Type().Name()
	if f := body.Elem().FieldByName("This"); f.IsValid() {
		this, _ = f.Interface().(types.ManagedObjectReference)
	}
	return method, this
}

// SOAPTarget is the method and the object of a SOAP request, read from its
// first elements only.
func SOAPTarget(body []byte) (method string, this types.ManagedObjectReference, err error) {
	dec := xml.NewDecoder(bytes.NewReader(body))
	inBody := false
	for {
		tok, err := dec.Token()
		if err != nil {
			return "", this, fmt.Errorf("no SOAP request: %w", err)
		}
		start, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		switch {
		case start.Name.Local == "Header":
			if err := dec.Skip(); err != nil {
				return "", this, fmt.Errorf("no SOAP request: %w", err)
			}
		case start.Name.Local == "Body":
			inBody = true
		case inBody && method == "":
			method = start.Name.Local
		case inBody:
			if start.Name.Local == "_this" {
				err = dec.DecodeElement(&this, &start)
			}
			return method, this, err
		}
	}
}

// Handler is the vCenter over HTTP: SOAP under /sdk and /pbm, disk images of leases
// under /nfc/, and disks under /folder/. A transport in this process may call
// it without a socket.
func (vc *VCenter) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(sdkPath, vc.serveSDK)
	mux.HandleFunc(sdkPath+"/vimService", vc.serveSDK)
	mux.HandleFunc(sdkPath+"/vimServiceVersions.xml", vc.service.ServiceVersions)
	mux.HandleFunc(pbmPath, vc.servePBM)
	mux.HandleFunc(pbmPath+"/sdk", vc.servePBM)
	mux.HandleFunc(nfcPrefix+"{lease}/{file}", vc.serveNFC)
	mux.HandleFunc(folderPrefix, vc.serveFolder)
	return vc.whenUp(mux)
}

// serveSDK runs one request at a time, and writes the answer when others may
// go on: a slow reader holds up nobody.
func (vc *VCenter) serveSDK(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	method, this, err := SOAPTarget(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	var failed error
	apply := func() {
		defer vc.guard(this, &failed)
		vc.service.ServeSDK(answer, r)
	}
	if waits(method) {
		apply()
		vc.deliver()
	} else {
		vc.do(apply)
	}
	if failed != nil {
		http.Error(w, failed.Error(), http.StatusInternalServerError)
		return
	}
	for k, v := range answer.Header() { //hdm:order-safe headers have no order
		w.Header()[k] = v
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // the client has gone: nobody to tell
}

// Server is a vCenter on a loopback port.
type Server struct {
	URL      *url.URL // of the SDK, with user and password
	CA       []byte   // PEM of the certificate to trust
	User     string
	Password string

	http *http.Server
	done chan struct{}
}

// Serve answers over TLS on a port of the loopback address until Close. Leases
// that open from now on point to it.
func (vc *VCenter) Serve() (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the vCenter of %s cannot be served: %w", vc.config.Site, err)
	}
	return vc.serve(listener, vc.Handler())
}

// ServeForeign answers on that listener, over TLS, until Close. Every call goes
// through the gate. It is to be called before the world runs.
func (vc *VCenter) ServeForeign(listener net.Listener, gate Foreign) (*Server, error) {
	return vc.serve(listener, vc.foreignHandler(gate))
}

// serve takes over the listener.
func (vc *VCenter) serve(listener net.Listener, handler http.Handler) (*Server, error) {
	cert, ca, err := certificate()
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("the vCenter of %s has no certificate: %w", vc.config.Site, err)
	}
	host := listener.Addr().String()
	vc.do(func() {
		vc.baseURL = "https://" + host
		vc.reg.SessionManager().ServiceHostName = host
		vc.reg.SessionManager().TLS = func() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{cert}} }
	})
	s := &Server{
		URL: &url.URL{Scheme: "https", Host: host, Path: sdkPath, User: vc.Credentials()}, CA: ca,
		User: vc.config.User, Password: vc.config.Password, done: make(chan struct{}),
		http: &http.Server{
			Handler: handler, ReadHeaderTimeout: time.Minute, IdleTimeout: 10 * time.Minute, ErrorLog: log.New(io.Discard, "", 0),
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		},
	}
	go func() {
		defer close(s.done)
		_ = s.http.ServeTLS(listener, "", "") // Close ends it
	}()
	return s, nil
}

// Close ends connections and waits for the server to end.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	return err
}

// HTTPClient is a client that trusts this server only.
func (s *Server) HTTPClient() (*http.Client, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.CA) {
		return nil, errors.New("the server's certificate cannot be read")
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}, nil
}

// certificate makes a key and a certificate of its own for the loopback
// address. TLS lives on the wall clock, so this does too.
func certificate() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "simulated vCenter"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(30 * 24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, ca, nil
}
