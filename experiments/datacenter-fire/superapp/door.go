package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// An order tells a desk where a topic stands when etcd can't.
type order struct {
	Of        topic  `json:"of"`
	Site      string `json:"site"`
	Epoch     int64  `json:"epoch"`
	Signature string `json:"signature"`
}

func (o order) mac(secret string) string {
	m := hmac.New(sha256.New, []byte(secret))
	_, _ = fmt.Fprintf(m, "%s %s %d", o.Of, o.Site, o.Epoch)
	return hex.EncodeToString(m.Sum(nil))
}

// sign returns the order with its signature.
func (o order) sign(secret string) order {
	o.Signature = o.mac(secret)
	return o
}

// signedWith reports whether who sent the order knows the secret.
func (o order) signedWith(secret string) bool {
	return secret != "" && o.Site != "" && o.Epoch > 0 && hmac.Equal([]byte(o.Signature), []byte(o.mac(secret)))
}

// replaceFile makes content durable under path: file first, then its name.
func replaceFile(path string, content []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}
