// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
//
// What the programs share: how a packet that left the table for a while, as a
// copy or over a queue of ours, goes on where it was. The place stands in the
// control buffer of the packet (__sk_buff.cb), which the kernel leaves alone
// between the hooks of tc, and not in its mark: marks belong to the user's own
// rules. cb[0] and cb[1] are netem's.
#define SLOTS 8
#define CANARY 0x46440001u
#define GROUP_CANARY 0x46440002u // counts as one of the control group that a rule is about

static __always_inline int is_canary(const struct __sk_buff *skb)
{
	return skb->mark == CANARY || skb->mark == GROUP_CANARY;
}

static __always_inline void resume_at(struct __sk_buff *skb, __u32 slot)
{
	skb->cb[2] = slot ? 0x46697265u : 0;
	skb->cb[3] = slot ? 0x6472696cu : 0;
	skb->cb[4] = slot;
}

// resumed is the first slot that the packet has yet to see, and forgets it.
static __always_inline __u32 resumed(struct __sk_buff *skb)
{
	__u32 slot = skb->cb[4];

	if (skb->cb[2] != 0x46697265u || skb->cb[3] != 0x6472696cu || slot > SLOTS)
		return 0; // what another part of the kernel left there
	resume_at(skb, 0);
	return slot;
}
