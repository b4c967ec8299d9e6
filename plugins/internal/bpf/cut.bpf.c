//go:build ignore

// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
//
// The program of all network faults: one for each direction of a device, sharing
// one table of eight slots, a slot per injection. A slot's peers are a
// longest-prefix trie of its own, so that injections come and go without touching
// each other. A packet goes through the slots in their order and each does what
// its rule says, so that faults compose.
//
// A packet that is cut or lost goes the way a cut wire loses it. On egress that
// is a redirect to a device that does not exist: a plain drop would tell TCP of a
// local drop, it would not back off, and no real network looks like that.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "resume.h"
#include "frame.h"
#include "query.h"

#define RANGES 4
#define LOOPBACK 1 // the index of this device, in every namespace
#define ENDS 4096
#define DEPTH 32 // how deep below the root a control group may be
#define LEARNED (30 * 1000000000ULL) // how long an end is held true that sent a packet
#define DIR_IN 1
#define DIR_OUT 2

// What a rule does to the packets it acts upon.
#define CUT 0       // all of them are gone
#define LOSE 1      // some are gone
#define DUPLICATE 2 // some come twice
#define CORRUPT 3   // some have other payload
#define STEER 4     // all take another way, on which a queue of ours waits
#define ANSWER 5    // those that are queries of the DNS are answered, or gone

struct range {
	__u16 lo, hi;
};

struct rule {
	__u64 until;         // CLOCK_BOOTTIME ns; a packet later than this passes
	__u64 owner;         // names the injection; 0: the slot is free
	__u64 group;         // only packets of sockets of this cgroup v2 id; 0: all
	__u32 direction;     // DIR_IN | DIR_OUT
	__u32 protocol;      // IPPROTO_*; 0: any
	__u32 local_matters; // the local address must be in locals[slot]
	__u32 ranges;        // how many of ports are set; 0: any port
	struct range ports[RANGES]; // of the peer or of this host
	__u32 action;
	__u32 chance; // a packet is acted upon if a random number is not above
	__u32 way[2]; // STEER: the devices for packets in and out
	__u32 relay;  // STEER: a program waits there, which must be alive
	__u32 names;  // ANSWER: queries for names[slot] only
	__u32 code;   // ANSWER: of the answer; 0: there is none
	__u32 unused;
};

struct count {
	__u64 matched;         // packets that the rule is about
	__u64 packets, bytes;  // of these, acted upon
	__u64 canaries;        // of these, ours
	__u64 canary_at;       // CLOCK_BOOTTIME ns of the last of ours
};

// address is IPv6, or IPv4 mapped into it (RFC 4291, 2.5.5.2).
struct address {
	__u8 b[16];
};

struct prefix {
	__u32 len;
	struct address addr;
};

// end is this host's end of a socket of a control group.
struct end {
	__u64 group;
	struct address addr;
	__u32 port;
	__u32 protocol;
};

struct exemption {
	struct address addr; // zero: any
	__u16 port;          // host byte order
	__u16 local;         // 1: the port is this host's, 0: the peer's
	__u32 protocol;
};

// Keeps the types of the maps in the BTF, for the generated Go types.
const struct rule *unused_rule __attribute__((unused));
const struct count *unused_count __attribute__((unused));
const struct prefix *unused_prefix __attribute__((unused));
const struct end *unused_end __attribute__((unused));
const struct exemption *unused_exemption __attribute__((unused));

struct prefixes {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u64); // packets acted upon
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__array(values, struct prefixes);
} fd_peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__array(values, struct prefixes);
} fd_locals SEC(".maps");

// One entry more than slots: the last one's until notes, for whoever reverts
// last, what Firedrill itself added to the device.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS + 1);
	__type(key, __u32);
	__type(value, struct rule);
} fd_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, struct count);
} fd_counts SEC(".maps");

// Until when (CLOCK_BOOTTIME ns) the program that relays a slot's packets vouches
// for itself: a dead one must not hold them up for longer.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} fd_alive SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct exemption);
	__type(value, __u32);
} fd_exempt SEC(".maps");

// Which ends belong to control groups of rules, until when (CLOCK_BOOTTIME ns) that
// is held true. A packet that comes in has no socket yet to be asked. Ends are put
// here when a rule is set or renewed, and by each packet that a group sends.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, ENDS);
	__type(key, struct end);
	__type(value, __u64);
} fd_ends SEC(".maps");

struct packet {
	struct prefix peer, local;
	__u32 protocol;
	__u16 peer_port, local_port;
	__u32 has_ports;
	__u32 l4; // offset of the transport header from the network header
};

static __always_inline void map4(struct prefix *p, __u32 addr)
{
	p->len = 128;
	p->addr.b[10] = 0xff;
	p->addr.b[11] = 0xff;
	__builtin_memcpy(&p->addr.b[12], &addr, 4);
}

// parse reads addresses and ports from the network header on, so that devices
// without a link layer work too. It returns 0 for what is not IP.
static __always_inline int parse(struct __sk_buff *skb, __u32 dir, struct packet *p)
{
	int first = 1;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr ip;
		if (bpf_skb_load_bytes_relative(skb, 0, &ip, sizeof(ip), BPF_HDR_START_NET))
			return 0;
		map4(&p->peer, dir == DIR_OUT ? ip.daddr : ip.saddr);
		map4(&p->local, dir == DIR_OUT ? ip.saddr : ip.daddr);
		p->protocol = ip.protocol;
		p->l4 = ip.ihl * 4;
		first = !(ip.frag_off & bpf_htons(0x1fff));
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr ip;
		if (bpf_skb_load_bytes_relative(skb, 0, &ip, sizeof(ip), BPF_HDR_START_NET))
			return 0;
		p->peer.len = p->local.len = 128;
		__builtin_memcpy(p->peer.addr.b, dir == DIR_OUT ? &ip.daddr : &ip.saddr, 16);
		__builtin_memcpy(p->local.addr.b, dir == DIR_OUT ? &ip.saddr : &ip.daddr, 16);
		p->protocol = ip.nexthdr;
		p->l4 = sizeof(ip);
	} else {
		return 0;
	}
	if (p->protocol == IPPROTO_ICMPV6) {
		// ICMP to a rule, but for neighbour discovery, which is IPv6's ARP.
		__u8 type;
		if (!bpf_skb_load_bytes_relative(skb, p->l4, &type, 1, BPF_HDR_START_NET) && (type < 133 || type > 137))
			p->protocol = IPPROTO_ICMP;
	}
	if (first && (p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP)) {
		__be16 ports[2];
		if (bpf_skb_load_bytes_relative(skb, p->l4, ports, sizeof(ports), BPF_HDR_START_NET))
			return 1;
		p->peer_port = bpf_ntohs(dir == DIR_OUT ? ports[1] : ports[0]);
		p->local_port = bpf_ntohs(dir == DIR_OUT ? ports[0] : ports[1]);
		p->has_ports = 1;
	}
	return 1;
}

static __always_inline int ports_match(const struct rule *r, const struct packet *p)
{
	if (!r->ranges)
		return 1;
	if (!p->has_ports)
		return 0;
	for (int i = 0; i < RANGES; i++) {
		if (i >= r->ranges)
			return 0;
		if (p->peer_port >= r->ports[i].lo && p->peer_port <= r->ports[i].hi)
			return 1;
		if (p->local_port >= r->ports[i].lo && p->local_port <= r->ports[i].hi)
			return 1;
	}
	return 0;
}

// exempt is asked only about packets that a rule is about.
static __always_inline int exempt(const struct packet *p)
{
	struct exemption e = {};

	if (!p->has_ports)
		return 0;
	e.protocol = p->protocol;
	e.port = p->local_port;
	e.local = 1;
	if (bpf_map_lookup_elem(&fd_exempt, &e))
		return 1;
	e.addr = p->peer.addr;
	e.port = p->peer_port;
	e.local = 0;
	return bpf_map_lookup_elem(&fd_exempt, &e) != 0;
}

static __always_inline int matches(const struct rule *r, __u32 slot, const struct packet *p, __u64 **hits)
{
	if (r->protocol && r->protocol != p->protocol)
		return 0;
	void *peers = bpf_map_lookup_elem(&fd_peers, &slot);
	if (!peers)
		return 0;
	// The verifier of older kernels (6.1) takes no key from what an argument points to.
	struct prefix key = p->peer;
	*hits = bpf_map_lookup_elem(peers, &key);
	if (!*hits || !ports_match(r, p))
		return 0;
	if (r->local_matters) {
		void *locals = bpf_map_lookup_elem(&fd_locals, &slot);
		key = p->local;
		if (!locals || !bpf_map_lookup_elem(locals, &key))
			return 0;
	}
	return 1;
}

// sent_by says whether the socket of a packet on its way out belongs to a group or
// to one below it. The loop needs not know how deep the group is: in a namespace of
// control groups nobody can tell.
static __always_inline int sent_by(struct __sk_buff *skb, __u64 group)
{
	for (int level = 1; level < DEPTH; level++) {
		__u64 id = bpf_skb_ancestor_cgroup_id(skb, level);
		if (id == group)
			return 1;
		if (!id)
			return 0;
	}
	return 0;
}

// of_group says whether a packet is one of a group's, and learns from those that
// it sends what to take for its own of those that come in.
static __always_inline int of_group(struct __sk_buff *skb, __u32 dir, __u64 group, __u64 now, const struct packet *p)
{
	struct end e = {};
	__u64 *until, renewed;

	if (skb->mark == GROUP_CANARY)
		return 1;
	e.group = group;
	e.addr = p->local.addr;
	e.port = p->local_port;
	e.protocol = p->protocol;
	until = bpf_map_lookup_elem(&fd_ends, &e);
	if (dir == DIR_IN)
		return p->has_ports && until && now <= *until;
	if (!sent_by(skb, group))
		return 0;
	renewed = now + LEARNED;
	if (p->has_ports && (!until || *until < now + LEARNED / 2))
		bpf_map_update_elem(&fd_ends, &e, &renewed, BPF_ANY);
	return 1;
}

// What became of a packet that a rule is about.
#define NOT_MEANT 0 // the action can't be done to such a packet
#define SPARED 1    // by chance
#define DONE 2
#define ANSWERED 3  // it is its own answer now

// corrupt changes two bytes of the payload of TCP or UDP and makes the checksum
// right again, so that no layer but the application can tell. A function of its
// own, so that the verifier looks at it once and not once a slot.
__attribute__((noinline)) int corrupt(struct __sk_buff *skb, __u32 l4, __u32 protocol, __u32 chance)
{
	__u32 data = l4 + 8, sum = 6, flags = BPF_F_MARK_MANGLED_0, random;
	__u16 was, is;
	int net = network(skb);

	if (net < 0)
		return NOT_MEANT;
	if (protocol == IPPROTO_TCP) {
		__u8 offset;
		if (bpf_skb_load_bytes(skb, net + l4 + 12, &offset, 1))
			return NOT_MEANT;
		data = l4 + (offset >> 4) * 4;
		sum = 16;
		flags = 0;
	}
	__u32 len = ip_length(skb, net);
	if (len < data + 2 || len > 0xfffff)
		return NOT_MEANT;
	if (bpf_get_prandom_u32() > chance)
		return SPARED;
	random = bpf_get_prandom_u32();
	// At an even offset, as the checksum is of words.
	__u32 at = net + data + 2 * ((random >> 16) % ((len - data) / 2));
	if (bpf_skb_load_bytes(skb, at, &was, sizeof(was)))
		return NOT_MEANT;
	is = was ^ ((random & 0xffff) | 1);
	if (bpf_skb_store_bytes(skb, at, &is, sizeof(is), 0))
		return SPARED;
	bpf_l4_csum_replace(skb, net + l4 + sum, was, is, sizeof(is) | flags);
	return DONE;
}

static __always_inline int duplicate(struct __sk_buff *skb, __u32 dir, __u32 slot)
{
	int failed;

	resume_at(skb, slot + 1); // both of them go on with the next slot
	failed = bpf_clone_redirect(skb, skb->ifindex, dir == DIR_OUT ? 0 : BPF_F_INGRESS);
	resume_at(skb, 0);
	return failed ? SPARED : DONE;
}

// query is about what goes to a resolver. Over TCP there is no answer: the packet
// is gone.
static __always_inline int query(struct __sk_buff *skb, __u32 slot, const struct rule *r, const struct packet *p)
{
	__u32 names = r->names, code = r->code;
	int net = network(skb);

	if (net < 0 || p->peer_port != DOMAIN)
		return NOT_MEANT;
	__u32 l4 = net + p->l4, end = net + ip_length(skb, net), data;
	if (p->protocol == IPPROTO_UDP) {
		int n = question(skb, slot, l4 + sizeof(struct udphdr), end, names);
		if (n <= 0)
			return NOT_MEANT;
		return code && answer(skb, net, l4, n, code) ? ANSWERED : DONE;
	}
	if (!names)
		return DONE;
	__u8 offset;
	if (bpf_skb_load_bytes(skb, l4 + 12, &offset, 1))
		return NOT_MEANT;
	data = l4 + (offset >> 4) * 4;
	// Behind its length, which may have come by itself (RFC 1035, 4.2.2).
	return question(skb, slot, data + 2, end, names) > 0 || question(skb, slot, data, end, names) > 0 ? DONE : NOT_MEANT;
}

static __always_inline int act(struct __sk_buff *skb, __u32 dir, __u32 slot, const struct rule *r, const struct packet *p)
{
	switch (r->action) {
	case LOSE:
		return bpf_get_prandom_u32() > r->chance ? SPARED : DONE;
	case DUPLICATE:
		if (bpf_get_prandom_u32() > r->chance)
			return SPARED;
		return duplicate(skb, dir, slot);
	case CORRUPT:
		return p->has_ports ? corrupt(skb, p->l4, p->protocol, r->chance) : NOT_MEANT;
	case ANSWER:
		return query(skb, slot, r, p);
	}
	return DONE;
}

// back lets an answer come in from where its query would have gone. On the
// loopback it does so by itself, and there alone: led anew, it would be taken for
// one with a stranger's address.
static __always_inline int back(struct __sk_buff *skb)
{
	return skb->ifindex == LOOPBACK ? TC_ACT_UNSPEC : bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

// What step says of a packet; anything else is what the program returns.
#define NEXT 100 // slot

// step takes one packet through one slot. A function of its own, so that the
// verifier looks at it once and not once a slot.
__attribute__((noinline)) int step(struct __sk_buff *skb, __u32 dir, __u32 slot, struct packet *p)
{
	__u64 now, *hits;

	if (!p)
		return NEXT; // never, but the verifier can't know
	struct rule *r = bpf_map_lookup_elem(&fd_rules, &slot);
	if (!r || !matches(r, slot, p, &hits))
		return NEXT;
	now = bpf_ktime_get_boot_ns();
	if (now > r->until)
		return NEXT; // the lease ran out: heal by ourselves
	if (r->group && (!of_group(skb, dir, r->group, now, p) || !(r->direction & dir)))
		return NEXT;
	if (r->relay) {
		__u64 *alive = bpf_map_lookup_elem(&fd_alive, &slot);
		if (!alive || now > *alive)
			return NEXT;
	}
	if (exempt(p))
		return TC_ACT_UNSPEC;
	__u32 action = r->action, way = r->way[dir == DIR_OUT];
	int fate = act(skb, dir, slot, r, p);
	struct count *c = bpf_map_lookup_elem(&fd_counts, &slot);
	if (!c || fate == NOT_MEANT)
		return NEXT;
	c->matched++;
	if (fate == SPARED)
		return NEXT;
	__sync_fetch_and_add(hits, 1);
	c->packets++;
	c->bytes += skb->len;
	if (is_canary(skb)) {
		c->canaries++;
		c->canary_at = now;
	}
	if (action == STEER)
		return bpf_redirect(way, 0);
	if (fate == ANSWERED)
		return back(skb);
	if (action == CUT || action == LOSE || action == ANSWER)
		return dir == DIR_OUT ? bpf_redirect(0, 0) : TC_ACT_SHOT;
	return NEXT;
}

static __always_inline int bend(struct __sk_buff *skb, __u32 dir)
{
	struct packet p = {};
	__u32 from = resumed(skb);

	if (!parse(skb, dir, &p))
		return TC_ACT_UNSPEC;
	for (__u32 i = 0; i < SLOTS; i++) {
		__u32 slot = i;
		if (i < from)
			continue;
		struct rule *r = bpf_map_lookup_elem(&fd_rules, &slot);
		if (!r || !r->owner)
			continue;
		// A group's packets out say which of those that come in are its own.
		if (!(r->direction & dir) && !(r->group && dir == DIR_OUT))
			continue;
		int verdict = step(skb, dir, slot, &p);
		if (verdict != NEXT)
			return verdict;
	}
	return TC_ACT_UNSPEC;
}

SEC("tc")
int fd_out(struct __sk_buff *skb)
{
	return bend(skb, DIR_OUT);
}

SEC("tc")
int fd_in(struct __sk_buff *skb)
{
	return bend(skb, DIR_IN);
}

char _license[] SEC("license") = "Dual BSD/GPL";
