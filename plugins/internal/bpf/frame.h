// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
//
// Where things stand in a frame.

// network is the offset of the network header, which no field of the context
// tells: Ethernet, none, Ethernet with one VLAN tag. -1: another.
static __always_inline int network(struct __sk_buff *skb)
{
	const int offsets[] = {ETH_HLEN, 0, ETH_HLEN + 4};
	__u64 want[2], got[2];

	if (bpf_skb_load_bytes_relative(skb, 0, want, sizeof(want), BPF_HDR_START_NET))
		return -1;
	for (int i = 0; i < 3; i++) {
		if (bpf_skb_load_bytes(skb, offsets[i], got, sizeof(got)))
			continue;
		if (got[0] == want[0] && got[1] == want[1])
			return offsets[i];
	}
	return -1;
}

// ip_length is the length of the packet from the network header on. Frames may
// be padded, so the header has the say; large segments of IPv6 have none in it.
static __always_inline __u32 ip_length(struct __sk_buff *skb, __u32 net)
{
	__u32 most = skb->len - net, len;
	__be16 field;

	if (bpf_skb_load_bytes(skb, net + (skb->protocol == bpf_htons(ETH_P_IP) ? 2 : 4), &field, sizeof(field)))
		return most;
	len = bpf_ntohs(field);
	if (skb->protocol != bpf_htons(ETH_P_IP) && len)
		len += sizeof(struct ipv6hdr);
	return len && len < most ? len : most;
}
