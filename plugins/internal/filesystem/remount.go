package filesystem

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Remount mounts the file system where and as it was, which replays its journal.
// Nothing of it may be mounted.
func (m Mounted) Remount() error {
	whole, err := m.open()
	if err != nil {
		return err
	}
	trees, err := m.clone(whole)
	defer func() {
		for _, tree := range trees {
			_ = unix.Close(tree)
		}
	}()
	if err != nil {
		return err
	}
	for i, tree := range trees {
		if err := m.Mounts[i].attach(tree); err != nil {
			return err
		}
	}
	if m.Autoclear {
		if err := setAutoclear(m.Device, true); err != nil {
			return err
		}
	}
	if err := m.Same(); err != nil {
		return fmt.Errorf("mount %s as it was: %w", m.Mount, err)
	}
	return nil
}

// open makes the kernel read the file system; it is mounted nowhere yet.
func (m Mounted) open() (whole int, err error) {
	fail := func(what string, err error) (int, error) {
		return -1, fmt.Errorf("mount %s, %s: %w", m.Mount, what, err)
	}
	context, err := unix.Fsopen(m.Type, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return fail("file system type "+m.Type, err)
	}
	defer unix.Close(context)
	if err := unix.FsconfigSetString(context, "source", m.Source); err != nil {
		return fail("source "+m.Source, err)
	}
	for option := range strings.SplitSeq(m.Mounts[0].Super, ",") {
		if err := set(context, option); err != nil {
			return fail("option "+option, err)
		}
	}
	if err := unix.FsconfigCreate(context); err != nil {
		return fail("device "+m.Source, err)
	}
	if whole, err = unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, 0); err != nil {
		return fail("device "+m.Source, err)
	}
	return whole, nil
}

// shownOnly are options that mountinfo shows and nobody sets.
var shownOnly = []string{"rw", "seclabel"}

func set(context int, option string) error {
	if slices.Contains(shownOnly, option) {
		return nil
	}
	if name, value, ok := strings.Cut(option, "="); ok {
		return unix.FsconfigSetString(context, name, value)
	}
	return unix.FsconfigSetFlag(context, option)
}

// clone makes a mount, attached nowhere, for each of the record. It takes whole,
// which has to be attached for that, and lets go of it.
func (m Mounted) clone(whole int) (trees []int, err error) {
	at := m.Mounts[0].Point
	if err := attach(whole, at); err != nil {
		return nil, errors.Join(err, unix.Close(whole))
	}
	for _, mount := range m.Mounts {
		tree, err := unix.OpenTree(whole, strings.TrimPrefix(mount.Root, "/"), unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
		if err != nil {
			return trees, errors.Join(fmt.Errorf("find %s of file system %s: %w", mount.Root, m.Mount, err), unix.Close(whole), unix.Unmount(at, 0))
		}
		trees = append(trees, tree)
	}
	return trees, errors.Join(unix.Close(whole), unix.Unmount(at, 0))
}

// attach mounts tree as the record says.
func (m Mount) attach(tree int) error {
	attributes := unix.MountAttr{Attr_clr: unix.MOUNT_ATTR__ATIME, Attr_set: m.attributes()}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attributes); err != nil {
		return fmt.Errorf("set options %s of the mount at %s: %w", m.Options, m.Point, err)
	}
	if err := attach(tree, m.Point); err != nil {
		return err
	}
	spread := unix.MountAttr{Propagation: unix.MS_PRIVATE}
	if m.tag("shared") > 0 {
		spread.Propagation = unix.MS_SHARED
	}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &spread); err != nil {
		return fmt.Errorf("set propagation of the mount at %s: %w", m.Point, err)
	}
	return nil
}

func attach(tree int, at string) error {
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount at %s: %w", at, err)
	}
	return nil
}

// mountAttributes are options of a mount by the names that mountinfo gives them,
// mount_setattr(2).
var mountAttributes = map[string]uint64{
	"ro": unix.MOUNT_ATTR_RDONLY, "nosuid": unix.MOUNT_ATTR_NOSUID, "nodev": unix.MOUNT_ATTR_NODEV, "noexec": unix.MOUNT_ATTR_NOEXEC,
	"nodiratime": unix.MOUNT_ATTR_NODIRATIME, "nosymfollow": unix.MOUNT_ATTR_NOSYMFOLLOW, "noatime": unix.MOUNT_ATTR_NOATIME,
}

func (m Mount) attributes() (bits uint64) {
	options := strings.Split(m.Options, ",")
	for _, option := range options {
		bits |= mountAttributes[option]
	}
	if !slices.Contains(options, "noatime") && !slices.Contains(options, "relatime") {
		bits |= unix.MOUNT_ATTR_STRICTATIME
	}
	return bits
}
