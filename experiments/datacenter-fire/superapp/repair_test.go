package main

import (
	"context"
	"testing"
	"time"
)

// damage flips a byte of an item behind the vault's back.
func damage(t *testing.T, dir, key string) {
	t.Helper()
	v, err := openVaultDB(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer v.db.Close()
	done, err := v.db.Exec(`UPDATE items SET body = CAST('X' || substr(CAST(body AS TEXT), 2) AS BLOB) WHERE key = ?`, key)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := done.RowsAffected(); n != 1 {
		t.Fatalf("damaged %d items", n)
	}
}

// left makes a vault's folder look as a power cut leaves it.
func left(t *testing.T, keys ...string) string {
	t.Helper()
	dir := t.TempDir()
	v, err := openVaultDB(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer v.db.Close()
	if _, err := v.take(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if err := v.put(context.Background(), item{Key: k, Version: 1, Sum: sum([]byte("body of " + k)), Body: []byte("body of " + k)}); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDamagedItemKeepsVaultShut(t *testing.T) {
	a, dir := address(t), left(t, "a", "b", "c")
	damage(t, dir, "b")
	play(t, vault, "--listen", a, "--data", dir)
	eventually(t, "it answers", func() bool { return stateOf(t, a).Items == 3 })
	err := check(context.Background(), []string{"--vault", a}, silent())
	if err == nil || stateOf(t, a).Open {
		t.Errorf("opened with a damaged item: %v", err)
	}
	var f findings
	if err := call(context.Background(), time.Second, "POST", "http://"+a+"/check", nil, &f); err != nil || f.Items != 3 || len(f.Damaged) != 1 || f.Damaged[0] != "b" {
		t.Errorf("found %+v, %v", f, err)
	}
}

// Both copies were cut at once: each has an item the other lacks, and one of the second is damaged.
func TestPeersRepairEachOther(t *testing.T) {
	a, b := address(t), address(t)
	one, two := left(t, "both", "bad", "only-a"), left(t, "both", "bad", "only-b")
	damage(t, two, "bad")
	play(t, vault, "--listen", a, "--data", one, "--peer", b)
	eventually(t, "a answers", func() bool { return stateOf(t, a).Items == 3 })
	time.Sleep(2 * repairEvery)
	if stateOf(t, a).Open {
		t.Fatal("opened although no peer had answered")
	}
	play(t, vault, "--listen", b, "--data", two, "--peer", a)
	for _, addr := range []string{a, b} {
		eventually(t, addr+" opens by itself", func() bool { return stateOf(t, addr).Open })
	}
	for _, addr := range []string{a, b} {
		for _, k := range []string{"both", "bad", "only-a", "only-b"} {
			var i item
			if !fetch(t, "http://"+addr+"/items/"+k, &i) || string(i.Body) != "body of "+k {
				t.Errorf("%s has %+v", addr, i)
			}
		}
	}
}

// No peer has a good copy: the vault stays shut.
func TestNoGoodCopyStaysShut(t *testing.T) {
	a, b := address(t), address(t)
	one := left(t, "bad")
	damage(t, one, "bad")
	play(t, vault, "--listen", b, "--data", t.TempDir())
	play(t, vault, "--listen", a, "--data", one, "--peer", b)
	eventually(t, "a answers", func() bool { return stateOf(t, a).Items == 1 })
	time.Sleep(3 * repairEvery)
	if stateOf(t, a).Open {
		t.Error("opened without a good copy")
	}
}
