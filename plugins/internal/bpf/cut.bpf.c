//go:build ignore

// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
//
// The program that cuts: one for each direction of a device, sharing one table
// of eight slots, a slot per injection. A slot's peers are a longest-prefix
// trie of its own, so that injections come and go without touching each other.
//
// A packet that hits is lost the way a cut wire loses it. On egress that is a
// redirect to a device that does not exist: a plain drop would tell TCP of a
// local drop, it would not back off, and no real partition looks like that.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define SLOTS 8
#define RANGES 4
#define DIR_IN 1
#define DIR_OUT 2
#define CANARY 0x46440001u

struct range {
	__u16 lo, hi;
};

struct rule {
	__u64 until;         // CLOCK_BOOTTIME ns; a packet later than this passes
	__u64 owner;         // names the injection; 0: the slot is free
	__u32 direction;     // DIR_IN | DIR_OUT
	__u32 protocol;      // IPPROTO_*; 0: any
	__u32 local_matters; // the local address must be in locals[slot]
	__u32 ranges;        // how many of ports are set; 0: any port
	struct range ports[RANGES]; // of the peer or of this host
};

struct count {
	__u64 packets, bytes, canaries;
};

// address is IPv6, or IPv4 mapped into it (RFC 4291, 2.5.5.2).
struct address {
	__u8 b[16];
};

struct prefix {
	__u32 len;
	struct address addr;
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
const struct exemption *unused_exemption __attribute__((unused));

struct prefixes {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u64); // packets cut
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

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct exemption);
	__type(value, __u32);
} fd_exempt SEC(".maps");

struct packet {
	struct prefix peer, local;
	__u32 protocol;
	__u16 peer_port, local_port;
	__u32 has_ports;
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
	__u32 l4;
	int first = 1;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr ip;
		if (bpf_skb_load_bytes_relative(skb, 0, &ip, sizeof(ip), BPF_HDR_START_NET))
			return 0;
		map4(&p->peer, dir == DIR_OUT ? ip.daddr : ip.saddr);
		map4(&p->local, dir == DIR_OUT ? ip.saddr : ip.daddr);
		p->protocol = ip.protocol;
		l4 = ip.ihl * 4;
		first = !(ip.frag_off & bpf_htons(0x1fff));
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr ip;
		if (bpf_skb_load_bytes_relative(skb, 0, &ip, sizeof(ip), BPF_HDR_START_NET))
			return 0;
		p->peer.len = p->local.len = 128;
		__builtin_memcpy(p->peer.addr.b, dir == DIR_OUT ? &ip.daddr : &ip.saddr, 16);
		__builtin_memcpy(p->local.addr.b, dir == DIR_OUT ? &ip.saddr : &ip.daddr, 16);
		p->protocol = ip.nexthdr;
		l4 = sizeof(ip);
	} else {
		return 0;
	}
	if (first && (p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP)) {
		__be16 ports[2];
		if (bpf_skb_load_bytes_relative(skb, l4, ports, sizeof(ports), BPF_HDR_START_NET))
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

// exempt is asked only about packets that would be cut.
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

static __always_inline int cut(struct __sk_buff *skb, __u32 dir)
{
	struct packet p = {};
	__u64 now = 0;

	if (!parse(skb, dir, &p))
		return TC_ACT_UNSPEC;
	for (__u32 i = 0; i < SLOTS; i++) {
		__u32 slot = i;
		struct rule *r = bpf_map_lookup_elem(&fd_rules, &slot);
		if (!r || !r->owner || !(r->direction & dir))
			continue;
		if (r->protocol && r->protocol != p.protocol)
			continue;
		void *peers = bpf_map_lookup_elem(&fd_peers, &slot);
		if (!peers)
			continue;
		__u64 *hits = bpf_map_lookup_elem(peers, &p.peer);
		if (!hits || !ports_match(r, &p))
			continue;
		if (r->local_matters) {
			void *locals = bpf_map_lookup_elem(&fd_locals, &slot);
			if (!locals || !bpf_map_lookup_elem(locals, &p.local))
				continue;
		}
		if (!now)
			now = bpf_ktime_get_boot_ns();
		if (now > r->until)
			continue; // the lease ran out: heal by ourselves
		if (exempt(&p))
			return TC_ACT_UNSPEC;
		__sync_fetch_and_add(hits, 1);
		struct count *c = bpf_map_lookup_elem(&fd_counts, &slot);
		if (c) {
			c->packets++;
			c->bytes += skb->len;
			if (skb->mark == CANARY)
				c->canaries++;
		}
		return dir == DIR_OUT ? bpf_redirect(0, 0) : TC_ACT_SHOT;
	}
	return TC_ACT_UNSPEC;
}

SEC("tc")
int fd_out(struct __sk_buff *skb)
{
	return cut(skb, DIR_OUT);
}

SEC("tc")
int fd_in(struct __sk_buff *skb)
{
	return cut(skb, DIR_IN);
}

char _license[] SEC("license") = "Dual BSD/GPL";
