package linkdown

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Message is one message of rtnetlink(7) without its outer header: a fixed header
// of its kind and attributes.
type Message []byte

var native = binary.NativeEndian

// attribute is a piece of a Message: struct rtattr and its value.
type attribute struct {
	kind  uint16
	value []byte // within the message
	whole []byte // with the rtattr, padded
}

// nlaType is what of an attribute's type names it; the rest are flags.
const nlaType = 0x3fff

func (m Message) attributes(header int) (out []attribute) {
	for b := m[min(header, len(m)):]; len(b) >= unix.SizeofRtAttr; {
		n := int(native.Uint16(b))
		if n < unix.SizeofRtAttr || n > len(b) {
			break
		}
		padded := min((n+3)&^3, len(b))
		out = append(out, attribute{native.Uint16(b[2:]) & nlaType, b[unix.SizeofRtAttr:n], b[:padded]})
		b = b[padded:]
	}
	return out
}

// value returns the value of an attribute, nil if the message has none.
func (m Message) value(header int, kind uint16) []byte {
	for _, a := range m.attributes(header) {
		if a.kind == kind {
			return a.value
		}
	}
	return nil
}

func (m Message) number(header int, kind uint16) uint32 {
	if v := m.value(header, kind); len(v) >= 4 {
		return native.Uint32(v)
	}
	return 0
}

// without returns the message without attributes of these kinds.
func (m Message) without(header int, kinds ...uint16) Message {
	out := append(Message(nil), m[:header]...)
next:
	for _, a := range m.attributes(header) {
		for _, k := range kinds {
			if a.kind == k {
				continue next
			}
		}
		out = append(out, a.whole...)
	}
	return out
}

// with returns the message with a number as another attribute.
func (m Message) with(kind uint16, number uint32) Message {
	out := native.AppendUint16(append(Message(nil), m...), unix.SizeofRtAttr+4)
	out = native.AppendUint16(out, kind)
	return native.AppendUint32(out, number)
}

// dump asks the kernel for a list, again if it changed meanwhile.
func dump(ask, answer int, header []byte) (out []Message, err error) {
	var raw [][]byte
	for range 5 {
		req := nl.NewNetlinkRequest(ask, unix.NLM_F_DUMP)
		req.AddRawData(header)
		raw, err = req.Execute(unix.NETLINK_ROUTE, uint16(answer))
		if !errors.Is(err, nl.ErrDumpInterrupted) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list %d by netlink: %w", answer, err)
	}
	for _, m := range raw {
		out = append(out, append(Message(nil), m...))
	}
	return out, nil
}

// send has the kernel do what a message says.
func send(what, flags int, m Message) error {
	req := nl.NewNetlinkRequest(what, flags|unix.NLM_F_ACK)
	req.AddRawData(m)
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}
