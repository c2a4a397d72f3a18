// Plans as launch.py does; a test holds the two together.
#include "launch.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <utility>
#include <vector>

#include "cuda_driver.h"

namespace keras_lap::gpu {
namespace {

using Pointers = std::array<const void*, kBuffers>;

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

std::string TooLarge(const char* what, int64_t count, int64_t limit = kLargestCount) {
  return "Expected at most " + std::to_string(limit) + " " + what +
         " on a GPU. Received: " + std::to_string(count) +
         ". Split the batch, or pool it on the CPU.";
}

// A product of numbers that are not negative, or the largest number if that is larger.
int64_t Product(std::initializer_list<int64_t> factors) {
  int64_t product = 1;
  bool overflow = false;
  for (const int64_t factor : factors) {
    if (factor == 0) return 0;
    overflow |= __builtin_mul_overflow(product, factor, &product);
  }
  return overflow ? INT64_MAX : product;
}

std::string CheckSizes(const Pooling& p) {
  const std::pair<const char*, int64_t> counts[] = {
      {"windows", Product({p.batch, p.out_height, p.out_width})},
      {"pixels with their padding",
       Product({p.batch, p.height + p.pad_top, p.width + p.pad_left})},
      {"channels", p.channels},
      {"pixels in a window", Product({p.window_height, p.window_width})},
  };
  for (const auto& [what, count] : counts) {
    if (count > kLargestCount) return TooLarge(what, count);
  }
  for (const int64_t size : ToIntegers(p)) {
    if (size > kLargestSide) {
      return TooLarge("images, or pixels along one side", size, kLargestSide);
    }
  }
  return "";
}

// The same pooling with strides that lead no further than just out of the map: kernels
// clear what lies between windows, and count it in 32 bits.
Pooling WithinReach(Pooling p) {
  p.stride_height =
      std::min(p.stride_height, std::max(p.window_height, p.height + p.pad_top));
  p.stride_width =
      std::min(p.stride_width, std::max(p.window_width, p.width + p.pad_left));
  return p;
}

// What a variant is chosen by, besides its name and the dtype of features.
struct Keys {
  int64_t vector;
  int32_t window = 0;
  bool has_max = false;
  bool per_channel = false;
};

struct Launch {
  const Kernel* kernel;
  int64_t programs;
  std::vector<int32_t> integers;
};

// Which kernels a pooling of features of one dtype takes, on what grids.
class Plan {
 public:
  static Plan Forward(const Pooling& pooling, DataType dtype) {
    Plan plan(pooling, dtype);
    if (plan.error_.empty()) plan.AddForward();
    return plan;
  }

  static Plan Backward(const Pooling& pooling, DataType dtype) {
    Plan plan(pooling, dtype);
    if (!plan.error_.empty()) return plan;
    const bool apart = pooling.stride_height >= pooling.window_height &&
                       pooling.stride_width >= pooling.window_width;
    const bool known = plan.window_ == 2 || (plan.window_ == 1 && !plan.has_max_);
    if (plan.per_channel_) {
      plan.AddPerChannel();
    } else if (plan.simple_ && apart && known) {
      plan.AddKnown();
    } else {
      plan.AddPairs();
    }
    return plan;
  }

  int64_t ScratchBytes() const { return ScratchOffset(kBuffers); }

  std::string Run(Pointers pointers, void* scratch, void* stream) const {
    if (!error_.empty()) return error_;
    for (int buffer = kFirstScratch; buffer < kBuffers; ++buffer) {
      pointers[buffer] = static_cast<char*>(scratch) + ScratchOffset(buffer);
    }
    for (const Launch& launch : launches_) {
      const std::string error = RunOne(launch, pointers, stream);
      if (!error.empty()) return error;
    }
    return "";
  }

 private:
  Plan(const Pooling& pooling, DataType dtype)
      : p_(WithinReach(pooling)), dtype_(dtype), error_(CheckSizes(p_)) {
    per_channel_ = p_.groups > 1 && p_.groups == p_.channels;
    groups_ = per_channel_ ? 1 : p_.groups;
    span_ = p_.channels / groups_;
    vector_ = span_ % kVector == 0 ? kVector : 1;
    if (p_.window_height == p_.window_width) {
      window_ = static_cast<int32_t>(p_.window_height);
    }
    has_max_ = p_.base == Base::kMax;
    many_alphas_ = p_.alpha_per_group && p_.groups > 1;
    simple_ = vector_ == kVector && !per_channel_;
    taps_ = Product({p_.window_height, p_.window_width});
    windows_ = Product({p_.batch, p_.out_height, p_.out_width});
    pixels_ = Product({p_.batch, p_.height, p_.width});
    many_taps_ = vector_ == kVector && taps_ > kFewTaps;
  }

  void AddForward() {
    const bool known = simple_ && window_ >= 1 && window_ <= 3;
    const Kernel& kernel =
        known ? Find("forward_known", {kVector, window_})
              : Find("forward_any", {vector_, 0, false, per_channel_}, many_taps_);
    Add(kernel, TilesOf(kernel, windows_, known ? 1 : 2));
  }

  void AddKnown() {
    const Kernel& kernel =
        Find("backward_known", {kVector, window_, has_max_}, span_ > kFewChannels);
    const int64_t cells =
        Product({p_.batch, CeilDiv(p_.height + p_.pad_top, p_.stride_height),
                 CeilDiv(p_.width + p_.pad_left, p_.stride_width)});
    const int64_t programs = BlocksOf(kernel, cells);
    Add(kernel, programs);
    AddFinish(programs / groups_, groups_, programs, 0);
    scratch_[kAlphaSums] = programs;
    scratch_[kGateSums] = programs;
  }

  void AddPairs() {
    const int block = (taps_ > kFewTaps) + (taps_ > kSomeTaps);
    const Kernel& weights = Find("window_weights", {0}, block);
    const Kernel& gradients = Find("pair_gradients", {0}, block);
    const int64_t programs = BlocksOf(weights, windows_);
    int64_t maxima_programs = 0;
    if (has_max_) {
      const Kernel& maxima = Find("window_maxima", {vector_}, many_taps_);
      maxima_programs = TilesOf(maxima, windows_, 2);
      Add(maxima, maxima_programs, {programs});
    }
    Add(weights, programs);
    AddFeatureGradients();
    Add(gradients, programs);
    AddFinish(programs / groups_, groups_, programs + maxima_programs,
              Product({pixels_, p_.groups}));
    scratch_[kPairs] = Product({windows_, p_.groups, taps_});
    scratch_[kLargestTaps] = has_max_ ? Product({windows_, p_.channels}) : 0;
    scratch_[kAlphaSums] = programs;
    scratch_[kGateSums] = programs + maxima_programs;
  }

  void AddFeatureGradients() {
    if (simple_ && window_ == 3 && p_.stride_height == 2 && p_.stride_width == 2) {
      const Kernel& kernel =
          Find("feature_gradients_known", {kVector, window_, has_max_});
      const int64_t cells = Product({p_.batch, CeilDiv(p_.height + p_.pad_top, 2),
                                     CeilDiv(p_.width + p_.pad_left, 2)});
      Add(kernel, BlocksOf(kernel, cells));
    } else {
      const Kernel& kernel = Find("feature_gradients_any", {vector_});
      Add(kernel, BlocksOf(kernel, pixels_));
    }
  }

  void AddPerChannel() {
    const Kernel& statistics = Find("window_statistics", {vector_}, many_taps_);
    const Kernel& gradients = Find("pixel_gradients", {vector_});
    const int64_t blocks = BlocksOf(statistics, windows_);
    const int64_t programs = TilesOf(statistics, windows_, 2);
    Add(statistics, programs);
    Add(gradients, TilesOf(gradients, pixels_, 1));
    AddFinish(blocks, p_.channels, programs, 0);
    for (const Buffer buffer : {kBestScores, kShares, kMeans, kOfBests, kBestTaps}) {
      scratch_[buffer] = Product({windows_, p_.channels});
    }
    scratch_[kLargestTaps] = has_max_ ? Product({windows_, p_.channels}) : 0;
    scratch_[kAlphaSums] = Product({blocks, p_.channels});
    scratch_[kGateSums] = programs;
  }

  void AddFinish(int64_t alpha_rows, int64_t alpha_columns, int64_t gate_count,
                 int64_t scores) {
    const int64_t sums = Product({alpha_rows, alpha_columns});
    if (sums > kLargestCount) error_ = TooLarge("partial sums", sums);
    const Kernel& kernel = Find("finish", {0});
    const int64_t alpha_programs =
        many_alphas_ ? CeilDiv(alpha_columns, kernel.block[1]) : 1;
    if (p_.base == Base::kNone) gate_count = 0;
    Add(kernel, 1 + alpha_programs + CeilDiv(scores, kernel.block[2]),
        {alpha_rows, alpha_columns, gate_count});
  }

  // The variant of a kernel with these attributes, the first or a later one.
  const Kernel& Find(const char* entry, const Keys& keys, int choice = 0) const {
    const auto matches = [&](const Kernel& kernel) {
      return std::strcmp(kernel.entry, entry) == 0 &&
             (kernel.dtype == -1 || kernel.dtype == static_cast<int32_t>(dtype_)) &&
             kernel.window == keys.window && kernel.has_max == keys.has_max &&
             kernel.per_channel == keys.per_channel && kernel.vector == keys.vector;
    };
    const Kernel* found =
        std::find_if(std::begin(kKernels), std::end(kKernels), matches);
    for (; choice > 0; --choice) {
      found = std::find_if(found + 1, std::end(kKernels), matches);
    }
    return *found;
  }

  // Programs over rows alone, one for all channels of a group.
  int64_t BlocksOf(const Kernel& kernel, int64_t rows) const {
    return Product({CeilDiv(rows, kernel.block[0]), groups_});
  }

  // Programs over rows and channels; `axis` of a block is that of channels.
  int64_t TilesOf(const Kernel& kernel, int64_t rows, int axis) const {
    return Product({BlocksOf(kernel, rows), CeilDiv(span_, kernel.block[axis])});
  }

  void Add(const Kernel& kernel, int64_t programs,
           std::initializer_list<int64_t> integers = {}) {
    if (programs > kLargestCount) error_ = TooLarge("programs of one kernel", programs);
    if (programs == 0 || !error_.empty()) return;
    launches_.push_back({&kernel, programs, {integers.begin(), integers.end()}});
  }

  int64_t ScratchOffset(int buffer) const {
    int64_t end = 0;
    for (int i = kFirstScratch; i < buffer; ++i) {
      end += CeilDiv(4 * scratch_[i], kScratchAlignment) * kScratchAlignment;
    }
    return end;
  }

  std::string RunOne(const Launch& launch, const Pointers& pointers,
                     void* stream) const {
    const Kernel& kernel = *launch.kernel;
    std::vector<const void*> addresses;
    for (int i = 0; i < kernel.pointer_count; ++i) {
      addresses.push_back(pointers[kernel.pointers[i]]);
    }
    Pooling geometry = p_;
    geometry.channels = span_ / std::max<int64_t>(kernel.vector, 1);
    geometry.groups = groups_;
    geometry.alpha_per_group = many_alphas_;
    std::vector<int32_t> integers = launch.integers;
    for (const int64_t value : ToIntegers(geometry)) {
      integers.push_back(static_cast<int32_t>(value));
    }
    return LaunchKernel(kernel, static_cast<uint32_t>(launch.programs),
                        std::move(addresses), std::move(integers), stream);
  }

  const Pooling p_;
  const DataType dtype_;
  std::string error_;
  bool per_channel_, has_max_, many_alphas_, many_taps_;
  bool simple_;  // channels in whole vectors, and scores that serve several of them
  int64_t groups_, span_, vector_;
  int32_t window_ = 0;  // height and width of a square window
  int64_t taps_, windows_, pixels_;
  std::vector<Launch> launches_;
  std::array<int64_t, kBuffers> scratch_{};  // entries of 4 bytes
};

}  // namespace

std::string Forward(const Pooling& pooling, DataType dtype,
                    const ForwardArguments& arguments, void* stream) {
  Pointers pointers{};
  pointers[kX] = arguments.x;
  pointers[kScores] = arguments.scores;
  pointers[kAlpha] = arguments.alpha;
  pointers[kGate] = arguments.gate;
  pointers[kY] = arguments.y;
  return Plan::Forward(pooling, dtype).Run(pointers, nullptr, stream);
}

int64_t BackwardScratchBytes(const Pooling& pooling, DataType dtype) {
  return Plan::Backward(pooling, dtype).ScratchBytes();
}

std::string Backward(const Pooling& pooling, DataType dtype,
                     const BackwardArguments& arguments, void* scratch, void* stream) {
  Pointers pointers{};
  pointers[kX] = arguments.x;
  pointers[kScores] = arguments.scores;
  pointers[kAlpha] = arguments.alpha;
  pointers[kGate] = arguments.gate;
  pointers[kDy] = arguments.dy;
  pointers[kDx] = arguments.dx;
  pointers[kDscores] = arguments.dscores;
  pointers[kDalpha] = arguments.dalpha;
  pointers[kDgate] = arguments.dgate;
  return Plan::Backward(pooling, dtype).Run(pointers, scratch, stream);
}

ScopedContext::ScopedContext(void* stream) : error_(PushContextOf(stream)) {}

ScopedContext::~ScopedContext() {
  if (error_.empty()) PopContext();
}

}  // namespace keras_lap::gpu
