package partition

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
)

// Apply cuts, or renews until of a cut that is in place.
func (p *Partition) Apply(ctx context.Context, t fault.Target, c Change, _, until fault.BootTime) error {
	ns, h, err := reopen(t, c)
	if err != nil {
		return err
	}
	defer closeBoth(ns, h)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("wait for the network namespace: %w", err)
	}
	if c.Way == WayRoutes {
		return p.applyRoutes(h, c)
	}
	for _, d := range c.Devices {
		if err := p.applyDevice(h, c, d, until); err != nil {
			return err
		}
		fault.Mark(ctx, "cut "+d.Name)
	}
	return nil
}

func (p *Partition) applyDevice(h *netlink.Handle, c Change, d Device, until fault.BootTime) error {
	link, err := linkOf(h, d)
	if err != nil {
		return err
	}
	if p.noEffect {
		until = 1 // long past: everything is in place and nothing is cut
	}
	t, err := findTable(h, link)
	if err != nil {
		return err
	}
	if t != nil {
		defer t.Close()
		slot, held, err := t.slotOf(c.Owner)
		if err != nil {
			return err
		}
		if held {
			return p.renew(t, slot, c, until)
		}
		if slot == bpf.Slots {
			return fmt.Errorf("all %d slots of %s are taken: %w", bpf.Slots, d.Name, fault.ErrChanged)
		}
		w, err := p.takeWarm(c, d)
		if err != nil {
			return err
		}
		defer w.Close()
		return t.fill(slot, c, w, until)
	}
	return p.applyFirst(h, c, d, link, until)
}

// renew moves the end of a cut that is in place. One whose lease has run out in
// the kernel has healed, and does not come back.
func (p *Partition) renew(t *table, slot uint32, c Change, until fault.BootTime) error {
	now, err := t.rule(slot)
	if err != nil {
		return err
	}
	if now.Until <= uint64(fault.Now()) && !p.noEffect {
		return fmt.Errorf("renew cut: its lease has run out, which is final: %w", fault.ErrChanged)
	}
	return t.setRule(slot, c.rule(until))
}

// applyFirst is for a device without a table of ours.
func (p *Partition) applyFirst(h *netlink.Handle, c Change, d Device, link netlink.Link, until fault.BootTime) error {
	there, err := hasClsact(h, link)
	if err != nil {
		return err
	}
	if there && !d.Clsact {
		return fmt.Errorf("%s got a clsact qdisc of somebody else: %w", d.Name, fault.ErrChanged)
	}
	if _, ahead, err := foreignFilters(h, link); err != nil || ahead > 0 {
		return errors.Join(err, fmt.Errorf("%s got a filter ahead of ours: %w", d.Name, fault.ErrChanged))
	}
	w, err := p.takeWarm(c, d)
	if err != nil {
		return err
	}
	defer w.Close()
	// The table is complete before the program can see a packet.
	own := w.table()
	if err := own.stage(0, c, w.locals); err != nil {
		return err
	}
	if err := own.setRule(0, c.rule(until)); err != nil {
		return err
	}
	return w.attach(h, link, there)
}

// linkOf finds the device of the record; a device that went and came back under
// the same name is another one.
func linkOf(h *netlink.Handle, d Device) (netlink.Link, error) {
	link, err := h.LinkByIndex(d.Index)
	var absent netlink.LinkNotFoundError
	if errors.As(err, &absent) || errors.Is(err, unix.ENODEV) {
		return nil, fmt.Errorf("device %s (index %d): %w", d.Name, d.Index, fault.ErrGone)
	}
	if err != nil {
		return nil, fmt.Errorf("find device %s: %w", d.Name, err)
	}
	return link, nil
}

// Revert heals and takes away what is ours: the slot, and with the last slot
// the filters, and the clsact qdisc if Firedrill made it and nobody else uses it.
func (p *Partition) Revert(_ context.Context, t fault.Target, c Change) error {
	ns, h, err := reopen(t, c)
	if err != nil {
		return err
	}
	defer closeBoth(ns, h)
	if c.Way == WayRoutes {
		return revertRoutes(h, c)
	}
	var errs, stuck []error
	for _, d := range c.Devices {
		link, err := linkOf(h, d)
		if errors.Is(err, fault.ErrGone) {
			continue // the device took everything of ours with it
		}
		if err == nil {
			err = revertDevice(h, link, c, d)
		}
		if errors.Is(err, fault.ErrStuck) {
			stuck = append(stuck, err)
			continue
		}
		errs = append(errs, err)
	}
	// Stuck is an end: it must not hide a device that is still cut.
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return errors.Join(stuck...)
}

func revertDevice(h *netlink.Handle, link netlink.Link, c Change, d Device) error {
	t, err := findTable(h, link)
	if err != nil {
		return err
	}
	if t == nil {
		return dropHalfMade(h, link, d)
	}
	defer t.Close()
	slot, held, err := t.slotOf(c.Owner)
	if err != nil {
		return err
	}
	if held {
		if err := t.heal(slot); err != nil {
			return err
		}
	}
	n, err := t.used()
	if err != nil {
		return err
	}
	if n > 0 {
		if !held {
			return nil
		}
		return t.empty(slot)
	}
	added, err := t.note()
	if err != nil {
		return err
	}
	if !added.clsact {
		return detach(h, link)
	}
	return dropClsact(h, link, added.txqlen)
}

// dropHalfMade is for an Apply that was killed between making the clsact qdisc
// and attaching to it: the record says there was none, and it is empty.
func dropHalfMade(h *netlink.Handle, link netlink.Link, d Device) error {
	if d.Clsact {
		return nil
	}
	there, err := hasClsact(h, link)
	if err != nil || !there {
		return err
	}
	return dropClsact(h, link, d.TxQLen)
}

func detach(h *netlink.Handle, link netlink.Link) error {
	for parent := range parents {
		f, err := ourFilter(h, link, parent)
		if err != nil {
			return err
		}
		if f == nil {
			continue
		}
		if err := h.FilterDel(filter(link, parent)); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("detach program from %s: %w", link.Attrs().Name, err)
		}
	}
	return nil
}

// dropClsact takes our qdisc away, and with it our filters, in one step: were
// they gone first, a death in between would leave a qdisc that nobody knows.
// The queue length goes before for the same reason.
func dropClsact(h *netlink.Handle, link netlink.Link, txqlen int) error {
	all, _, err := foreignFilters(h, link)
	if err != nil {
		return err
	}
	if all > 0 {
		if err := detach(h, link); err != nil {
			return err
		}
		return fmt.Errorf("clsact of %s holds %d filters of somebody else now; left in place: %w", link.Attrs().Name, all, fault.ErrStuck)
	}
	if txqlen == 0 && link.Attrs().TxQLen == kernelTxQLen { // another length is somebody else's
		if err := h.LinkSetTxQLen(link, 0); err != nil {
			return fmt.Errorf("restore queue length of %s: %w", link.Attrs().Name, err)
		}
	}
	if err := h.QdiscDel(clsact(link)); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("delete clsact of %s: %w", link.Attrs().Name, err)
	}
	return nil
}

// kernelTxQLen is what the kernel makes of a queue length of 0 when a qdisc is
// added: DEFAULT_TX_QUEUE_LEN of net/core.
const kernelTxQLen = 1000
