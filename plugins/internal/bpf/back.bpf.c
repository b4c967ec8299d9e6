//go:build ignore

// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
//
// The way back of steered packets: at the far end of the pair of devices whose
// near end carries a queue of ours. It puts a packet back where it was taken
// from, to go on with the next slot.
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "resume.h"

struct way {
	__u32 device;    // where the packet was taken from
	__u32 resume;    // the slot it goes on with
	__u64 flags;     // BPF_F_INGRESS: it was coming in
	__u64 packets;   // that came back
	__u64 canary_at; // CLOCK_BOOTTIME ns of the last of ours
	__u16 near[4];   // address of the near end: what it sends itself goes nowhere
};

const struct way *unused_way __attribute__((unused));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct way);
} fd_way SEC(".maps");

SEC("tc")
int fd_back(struct __sk_buff *skb)
{
	__u16 from[3]; // the sender's Ethernet address
	__u32 zero = 0;
	struct way *w = bpf_map_lookup_elem(&fd_way, &zero);

	if (!w || !w->device || bpf_skb_load_bytes(skb, 6, from, sizeof(from)))
		return TC_ACT_SHOT;
	if (from[0] == w->near[0] && from[1] == w->near[1] && from[2] == w->near[2])
		return TC_ACT_SHOT;
	__sync_fetch_and_add(&w->packets, 1);
	if (is_canary(skb))
		w->canary_at = bpf_ktime_get_boot_ns();
	// The pair took it for somebody else's, by its address.
	bpf_skb_change_type(skb, PACKET_HOST);
	resume_at(skb, w->resume);
	return bpf_redirect(w->device, w->flags);
}

char _license[] SEC("license") = "Dual BSD/GPL";
