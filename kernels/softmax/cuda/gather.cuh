// How the warps that share a row bring their chunk statistics together, for the warp that goes on.
//
// Every chunk's record has its own slot, so nothing is added up in the order of arrival: there is
// no float atomic, and the result can't depend on which block came first.
#pragma once
#include "rows.cuh"

namespace slm {

/// Where this block stands among those of its row.
struct Share {
  i64 row;
  u32 rank;
  int first, step;  // this warp's chunks: first, first + step, ...
};

SLM_DEVICE Share make_share(const Rows& p) {
  Share s;
  s.row = static_cast<i64>(block_id() >> p.split_bits);
  s.rank = block_id() & ((1u << p.split_bits) - 1u);
  s.first = static_cast<int>(s.rank) * warp_count() + warp_id();
  s.step = warp_count() << p.split_bits;
  return s;
}

/// The front of a block's shared memory; the records of the row follow. What the warp that goes on
/// alone will need is worked out while the first loads are under way, and waits here.
struct Front {
  u64 barrier;
  double u;
  Row row;
  Heat heat;
  unsigned char held[128];
};
static_assert(sizeof(Front) <= 256, "the launcher counts on 256 bytes");
constexpr int kFrontBytes = 256;

SLM_DEVICE Front* front() { return reinterpret_cast<Front*>(shared_memory()); }

/// The slots of a row's records: in shared memory, or in the scratch of the row.
template <class Record>
SLM_DEVICE Record* record_slots(const Rows& p, const Share& s, void* scratch, int records) {
  if (p.gather == kGatherTicket) return static_cast<Record*>(scratch) + s.row * records;
  return reinterpret_cast<Record*>(shared_memory() + kFrontBytes);
}

/// Who gets the records: the first block of the row, or every block of it.
enum Audience { kFirst, kEveryone };

/// To be called first, with the number of records: the blocks of a cluster make themselves known.
template <class Record, Audience kTo>
SLM_DEVICE void open_slots(const Rows& p, const Share& s, int records) {
  if (p.gather != kGatherCluster) return;
  if ((kTo == kEveryone || s.rank == 0) && warp_id() == 0 && lane_id() == 0)
    open_inbox(&front()->barrier, static_cast<u32>(records * sizeof(Record)));
  sync_warp();
  cluster_arrive();
}
/// To be called before the first put_record, when the first loads are under way.
SLM_DEVICE void await_slots(const Rows& p) {
  if (p.gather == kGatherCluster) cluster_wait();
}

/// A warp leaves a record, which all its lanes have.
template <Audience kTo, class Record>
SLM_DEVICE void put_record(const Rows& p, Record* slots, int slot, const Record& record) {
  if (p.gather == kGatherCluster) {
    const int reach = kTo == kEveryone ? 1 << p.split_bits : 1;
    if (lane_id() >= reach) return;
    u64 words[sizeof(Record) / 8];
    memcpy(words, &record, sizeof(Record));
#pragma unroll
    for (u32 i = 0; i < sizeof(Record) / 8; ++i)
      send(&front()->barrier, reinterpret_cast<u64*>(slots + slot) + i, words[i],
           static_cast<u32>(lane_id()));
  } else if (lane_id() == 0) {
    slots[slot] = record;
  }
}

/// Waits until every warp of the row has left its records. With kGatherTicket it can't: there the
/// records are made by one launch and read by the next.
SLM_DEVICE void gather_everyone(const Rows& p) {
  if (p.gather == kGatherCluster) {
    wait_inbox(&front()->barrier);
  } else {
    sync_block();
  }
}

/// True in the one warp that then sees the records of all chunks of the row.
SLM_DEVICE bool gather(const Rows& p, u32* tickets) {
  const Share s = make_share(p);
  if (p.gather == kGatherCluster) {
    if (s.rank != 0 || warp_id() != 0) return false;
    wait_inbox(&front()->barrier);
    return true;
  }
  sync_block();
  if (warp_id() != 0) return false;
  if (p.gather == kGatherBlock) return true;
  const u32 last = (1u << p.split_bits) - 1u;
  u32 mine = 0;
  if (lane_id() == 0) {
    fence_device();
    mine = ticket(tickets + s.row, last);  // wraps to 0: ready for the next launch
    fence_device();
  }
  return shfl(mine, 0) == last;
}

}  // namespace slm
