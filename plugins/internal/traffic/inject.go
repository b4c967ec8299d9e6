package traffic

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
)

// Apply puts c in force on all its devices, or renews until of what is in force.
// A fault that steers says what queue it lays, others nil.
func (i *Injector) Apply(ctx context.Context, t fault.Target, c Change, until fault.BootTime, lay Queue) error {
	s, err := Reopen(t, c)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("wait for the network namespace: %w", err)
	}
	return i.ApplyIn(ctx, s, c, until, lay)
}

// ApplyIn is Apply for a namespace that is open.
func (i *Injector) ApplyIn(ctx context.Context, s *Space, c Change, until fault.BootTime, lay Queue) error {
	if i.Inert {
		until = 1 // long past: everything is in place and has no effect
	}
	if s.gone != nil {
		return s.gone
	}
	ends, err := s.ends(c)
	if err != nil {
		return err
	}
	for _, d := range c.Devices {
		if err := i.applyDevice(s.Link, c, d, until, lay); err != nil {
			return err
		}
		if err := learn(s.Link, d, ends, until); err != nil {
			return err
		}
		fault.Mark(ctx, "in force on "+d.Name)
	}
	return nil
}

func (i *Injector) applyDevice(h *netlink.Handle, c Change, d Device, until fault.BootTime, lay Queue) error {
	link, err := linkOf(h, d)
	if err != nil {
		return err
	}
	t, err := findTable(h, link)
	if err != nil {
		return err
	}
	if t == nil {
		return i.applyFirst(h, c, d, link, until, lay)
	}
	defer t.Close()
	slot, held, err := t.slotOf(c.Owner)
	if err != nil {
		return err
	}
	if held {
		return i.renew(h, t, slot, c, d, until)
	}
	if slot == bpf.Slots {
		return fmt.Errorf("all %d slots of %s are taken: %w", bpf.Slots, d.Name, fault.ErrChanged)
	}
	w, err := i.takeWarm(c, d)
	if err != nil {
		return err
	}
	defer w.Close()
	rule := c.rule(until)
	if rule.Way, err = c.makeWays(h, link, d, slot, lay); err != nil {
		return err
	}
	return t.fill(slot, c, w, rule)
}

// renew moves the end of what is in force. One whose lease has run out in the
// kernel has healed, and does not come back.
func (i *Injector) renew(h *netlink.Handle, t *table, slot uint32, c Change, d Device, until fault.BootTime) error {
	now, err := t.rule(slot)
	if err != nil {
		return err
	}
	if now.Until <= uint64(fault.Now()) && !i.Inert {
		return fmt.Errorf("renew: the lease has run out, which is final: %w", fault.ErrChanged)
	}
	rule := c.rule(until)
	if rule.Way, err = c.findWays(h, d); err != nil {
		return err
	}
	return t.setRule(slot, rule)
}

// applyFirst is for a device without a table of ours.
func (i *Injector) applyFirst(h *netlink.Handle, c Change, d Device, link netlink.Link, until fault.BootTime, lay Queue) error {
	there, err := hasClsact(h, link)
	if err != nil {
		return err
	}
	if there && !d.Clsact {
		return fmt.Errorf("%s got a clsact qdisc of somebody else: %w", d.Name, fault.ErrChanged)
	}
	if _, ahead, err := ForeignFilters(h, link); err != nil || ahead > 0 {
		return errors.Join(err, fmt.Errorf("%s got a filter ahead of ours: %w", d.Name, fault.ErrChanged))
	}
	w, err := i.takeWarm(c, d)
	if err != nil {
		return err
	}
	defer w.Close()
	// The table is complete before the program can see a packet.
	rule := c.rule(until)
	if rule.Way, err = c.makeWays(h, link, d, 0, lay); err != nil {
		return err
	}
	own := w.table()
	if err := own.stage(0, c, w); err != nil {
		return err
	}
	if err := own.setRule(0, rule); err != nil {
		return err
	}
	return w.attach(h, link, there)
}

// Revert heals and takes away what is ours: the slot, and with the last slot
// the filters, and the clsact qdisc if Firedrill made it and nobody else uses it.
// It says fault.ErrGone, too, when a service or container ended meanwhile whose
// network is still there.
func (i *Injector) Revert(_ context.Context, t fault.Target, c Change) error {
	s, err := Reopen(t, c)
	if err != nil {
		return err
	}
	defer s.Close()
	return i.RevertIn(s, c)
}

// RevertIn is Revert for a namespace that is open.
func (i *Injector) RevertIn(s *Space, c Change) error {
	var errs, stuck []error
	for _, d := range c.Devices {
		link, err := linkOf(s.Link, d)
		if err == nil {
			err = revertDevice(s.Link, link, c, d)
		}
		switch {
		case errors.Is(err, fault.ErrGone): // the device took everything of ours with it
		case errors.Is(err, fault.ErrStuck):
			stuck = append(stuck, err)
		default:
			errs = append(errs, err)
		}
		// Last: as long as the slot steers, a packet would have nowhere to go.
		errs = append(errs, c.dropWays(s.Link, d))
	}
	// Stuck is an end: it must not hide a device on which the fault still is.
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if len(stuck) > 0 {
		return errors.Join(stuck...)
	}
	return s.gone
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
	all, _, err := ForeignFilters(h, link)
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
	if err := h.QdiscDel(Clsact(link)); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("delete clsact of %s: %w", link.Attrs().Name, err)
	}
	return nil
}

// kernelTxQLen is what the kernel makes of a queue length of 0 when a qdisc is
// added: DEFAULT_TX_QUEUE_LEN of net/core.
const kernelTxQLen = 1000
