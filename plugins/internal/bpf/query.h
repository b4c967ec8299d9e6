// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
//
// Queries of the DNS (RFC 1035): which of them a slot is about, and how a query is
// made into its own answer.
#define DOMAIN 53
#define NAME 256    // a name has 255 bytes at most (2.3.4)
#define MESSAGE 512 // and a message over UDP so many (4.2.1)
#define FIXED 4     // of type and class, behind the name
#define OPT 11      // bytes of an OPT record without options (RFC 6891, 6.1.2)

struct header {
	__be16 id;
	__u8 flags[2];
	__be16 questions, answers, authorities, additionals;
};

// name is the key of a trie of names: the bytes of a name as it stands in a
// message, backwards. What names have in common at their end is then a prefix,
// and the lengths of the labels see to it that it ends where a label does.
struct name {
	__u32 len; // in bits
	__u8 b[NAME];
};

// What an entry is about.
#define ITSELF 1 // the name
#define BELOW 2  // the names below it

struct entry {
	__u16 bytes; // of the name
	__u16 about; // ITSELF | BELOW
};

const struct name *unused_name __attribute__((unused));
const struct entry *unused_entry __attribute__((unused));

struct names {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct name);
	// A struct entry. Kernels before 6.2 take a map whose values are known to be
	// a struct for another kind than the ones that are made without BTF.
	__type(value, __u32);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__array(values, struct names);
} fd_names SEC(".maps");

// room is where a message is worked upon: the stack is too small.
struct room {
	__u64 name[NAME / 8];
	__u64 message[MESSAGE / 8];
	__u8 back[sizeof(struct name) + NAME]; // the name backwards, ending at END
};

#define END sizeof(struct name)

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct room);
} fd_room SEC(".maps");

// bounded keeps the compiler from deriving a number that is about to be checked
// anew afterwards, by a way that the verifier can't follow.
#define bounded(n) asm volatile("" : "+r"(n))

// sized says of a number from 1 to a power of two that it is one, in the way that
// kernels before 6.2 understand: they learn nothing from a comparison with zero.
static __always_inline __u64 sized(__u64 n, __u64 most)
{
	bounded(n);
	n = ((n - 1) & (most - 1)) + 1;
	bounded(n);
	return n;
}

static __always_inline struct room *room(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&fd_room, &zero);
}

// lower makes small letters of eight bytes of a name, and leaves lengths alone:
// none is above 63.
static __always_inline __u64 lower(__u64 v)
{
	const __u64 every = 0x0101010101010101ull;
	__u64 low = v & 0x7f * every;
	__u64 from_a = low + (0x80 - 'A') * every, past_z = low + (0x7f - 'Z') * every;

	return v | ((from_a ^ past_z) & ~v & 0x80 * every) >> 2;
}

// backwards reads the name at an offset of the packet into the room, in small
// letters and backwards, and returns how many bytes it has with the zero at its
// end; 0 if there is none. A zero in a label ends it too: what has one is no
// name of a host.
__attribute__((noinline)) int backwards(struct __sk_buff *skb, __u32 at, __u32 most)
{
	struct room *r = room();
	__u64 len = most < NAME ? most : NAME - 1;
	__u8 *name;

	if (!r)
		return 0;
	for (int i = 0; i < NAME / 8; i++)
		r->name[i] = ~0ull;
	if (len < 1 || bpf_skb_load_bytes(skb, at, r->name, sized(len, NAME)))
		return 0;
	for (int i = 0; i < NAME / 8; i++)
		r->name[i] = lower(r->name[i]);
	name = (__u8 *)r->name;
#pragma clang loop unroll(disable)
	for (int i = 0; i < NAME - 1; i++) {
		__u8 c = name[i];
		r->back[END - 1 - i] = c;
		if (!c)
			return i + 1;
	}
	return 0;
}

// question returns the length of the name that the message between two offsets
// asks for, if it is a query with one question that the slot is about; else 0.
__attribute__((noinline)) int question(struct __sk_buff *skb, __u32 slot, __u32 at, __u32 end, __u32 names)
{
	struct header h;
	struct room *r = room();

	if (!r || end <= at + sizeof(h) + FIXED || bpf_skb_load_bytes(skb, at, &h, sizeof(h)))
		return 0;
	// An answer, or another operation than a query.
	if (h.flags[0] & 0xf8 || h.questions != bpf_htons(1) || h.answers)
		return 0;
	__u32 n = backwards(skb, at + sizeof(h), end - at - sizeof(h) - FIXED);
	__u64 from = NAME - n;
	bounded(from);
	if (from < 1 || from >= NAME)
		return 0;
	if (!names)
		return n;
	void *known = bpf_map_lookup_elem(&fd_names, &slot);
	if (!known)
		return 0;
	__u8 *key = r->back + from;
	__u32 bits = 8 * n;
	__builtin_memcpy(key, &bits, sizeof(bits));
	struct entry *e = bpf_map_lookup_elem(known, key);
	if (!e || !(e->about & (e->bytes == n ? ITSELF : BELOW)))
		return 0;
	return n;
}

static __always_inline void swap(struct __sk_buff *skb, __u32 at, __u32 size)
{
	__u8 both[32], swapped[32];

	if (bpf_skb_load_bytes(skb, at, both, 2 * size))
		return;
	__builtin_memcpy(swapped, both + size, size);
	__builtin_memcpy(swapped + size, both, size);
	bpf_skb_store_bytes(skb, at, swapped, 2 * size, 0);
}

// turn sends the packet back: all addresses and ports change places, which no
// checksum minds, and lengths and checksums become those of the answer.
static __always_inline void turn(struct __sk_buff *skb, __u32 net, __u32 l4, __be16 len, __s64 diff)
{
	__u32 sum = l4 + 6;
	__be16 was, ip = len;

	if (net)
		swap(skb, 0, ETH_ALEN);
	bpf_skb_load_bytes(skb, l4 + 4, &was, sizeof(was));
	bpf_skb_store_bytes(skb, l4 + 4, &len, sizeof(len), 0);
	bpf_l4_csum_replace(skb, sum, 0, diff, BPF_F_MARK_MANGLED_0);
	bpf_l4_csum_replace(skb, sum, was, len, BPF_F_MARK_MANGLED_0 | sizeof(len));
	// Once more for the pseudo-header, which has the length too.
	bpf_l4_csum_replace(skb, sum, was, len, BPF_F_MARK_MANGLED_0 | BPF_F_PSEUDO_HDR | sizeof(len));
	swap(skb, l4, 2);
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		ip = bpf_htons(l4 - net + bpf_ntohs(len));
		bpf_skb_load_bytes(skb, net + 2, &was, sizeof(was));
		bpf_skb_store_bytes(skb, net + 2, &ip, sizeof(ip), 0);
		bpf_l3_csum_replace(skb, net + 10, was, ip, sizeof(ip));
		swap(skb, net + 12, 4);
	} else {
		bpf_skb_store_bytes(skb, net + 4, &ip, sizeof(ip), 0);
		swap(skb, net + 8, 16);
	}
}

// answer makes a query over UDP, whose name has n bytes, into its answer: the
// question, the code, and EDNS as far as the query had it. It has no SOA record,
// so that nobody may cache it (RFC 2308, 5). It says no to a query that is longer
// than any should be.
__attribute__((noinline)) int answer(struct __sk_buff *skb, __u32 net, __u32 l4, __u32 n, __u32 code)
{
	__u32 at = l4 + sizeof(struct udphdr);
	__u64 len = net + ip_length(skb, net) - at, size = sizeof(struct header) + n + FIXED;
	struct room *r = room();
	__u8 *m;
	__s64 diff;

	if (!r || len < size || size > MESSAGE - OPT)
		return 0;
	for (int i = 0; i < MESSAGE / 8; i++)
		r->message[i] = 0;
	if (len > MESSAGE || bpf_skb_load_bytes(skb, at, r->message, sized(len, MESSAGE)))
		return 0;
	diff = bpf_csum_diff((__be32 *)r->message, MESSAGE, NULL, 0, 0);
	m = (__u8 *)r->message;
	m[2] = 0x80 | (m[2] & 1);           // an answer; recursion was desired
	m[3] = 0x80 | (m[3] & 0x10) | code; // and is available; checking was disabled
	m[8] = m[9] = m[10] = m[11] = 0;
	if (len >= size + OPT && !m[size] && !m[size + 1] && m[size + 2] == 41) {
		m[11] = 1;
		size += OPT;
		m[size - 2] = m[size - 1] = 0; // of options
	}
	if (bpf_skb_store_bytes(skb, at, m, sized(size, MESSAGE), 0))
		return 0;
	for (int i = 0; i < MESSAGE / 8; i++)
		r->message[i] = 0;
	if (bpf_skb_load_bytes(skb, at, r->message, sized(size, MESSAGE)))
		return 0;
	diff = bpf_csum_diff(NULL, 0, (__be32 *)r->message, MESSAGE, diff);
	turn(skb, net, l4, bpf_htons(sizeof(struct udphdr) + size), diff);
	return !bpf_skb_change_tail(skb, at + size, 0);
}
