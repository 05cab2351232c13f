package serve

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// tls returns the configuration of the certificate files, nil where there are none.
func (o *HTTPOptions) tls() (*tls.Config, error) {
	if o.CertFile == "" {
		return nil, nil
	}
	c := &certificates{o: o, now: time.Now}
	config, err := c.read()
	if err != nil {
		return nil, err
	}
	c.config = config
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: config.NextProtos, GetConfigForClient: c.forClient}, nil
}

// certificates are the files, read anew when they change. What cannot be read then
// leaves what was read before in place: a half-written file ends nothing.
type certificates struct {
	o   *HTTPOptions
	now func() time.Time

	mu     sync.Mutex
	config *tls.Config
	looked time.Time
	stamps [3]stamp
}

type stamp struct {
	changed time.Time
	size    int64
}

const lookAgain = time.Second

func (c *certificates) forClient(*tls.ClientHelloInfo) (*tls.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.looked) >= lookAgain {
		c.looked = now
		if stamps := c.stat(); stamps != c.stamps {
			if config, err := c.read(); err == nil {
				c.config = config
			}
		}
	}
	return c.config, nil
}

func (c *certificates) stat() (all [3]stamp) {
	for i, name := range []string{c.o.CertFile, c.o.KeyFile, c.o.ClientCAFile} {
		if info, err := os.Stat(name); name != "" && err == nil {
			all[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return all
}

func (c *certificates) read() (*tls.Config, error) {
	stamps := c.stat() // before: a change while they are read is seen at the next look
	pair, err := tls.LoadX509KeyPair(c.o.CertFile, c.o.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("serve: HTTPOptions.CertFile and KeyFile: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}
	if c.o.ClientCAFile != "" {
		pem, err := os.ReadFile(c.o.ClientCAFile)
		if err != nil {
			return nil, fmt.Errorf("serve: HTTPOptions.ClientCAFile: %w", err)
		}
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("serve: HTTPOptions.ClientCAFile has no certificate in PEM")
		}
		config.ClientAuth = tls.VerifyClientCertIfGiven
	}
	c.stamps = stamps
	return config, nil
}
