#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sfumato::io::detail {

/// What a file that no decoder here reads is, and what to do about it; to be said of the file.
struct FileKind {
  std::size_t at;          ///< where the bytes stand that tell it
  std::string_view magic;  ///< '?' stands for any byte
  std::string_view meaning;
};

inline bool matches(std::span<const std::uint8_t> file, std::size_t at, std::string_view magic) {
  if (at + magic.size() > file.size()) return false;
  for (std::size_t i = 0; i < magic.size(); ++i) {
    if (magic[i] != '?' && static_cast<std::uint8_t>(magic[i]) != file[at + i]) return false;
  }
  return true;
}

/// What the first of these kinds that a file is of means; empty where it is of none.
inline std::string_view meaning_among(std::span<const FileKind> kinds,
                                      std::span<const std::uint8_t> file) {
  for (const FileKind& kind : kinds) {
    if (matches(file, kind.at, kind.magic)) return kind.meaning;
  }
  return "";
}

inline bool is_all_zeros(std::span<const std::uint8_t> file) {
  return std::all_of(file.begin(), file.end(), [](std::uint8_t byte) { return byte == 0; });
}

/// What pictures and weights alike are found packed in.
inline constexpr FileKind kPackedKinds[] = {
    {0, "\x1F\x8B", "this is packed with gzip; unpack it first"},
    {0, std::string_view("\xFD\x37zXZ\0", 6), "this is packed with xz; unpack it first"},
    {0, "\x28\xB5\x2F\xFD", "this is packed with zstd; unpack it first"},
    {257, "ustar", "this is a tar archive; unpack it first"},
};

/// The text at the beginning of a file, in small letters, without what may stand before it.
inline std::string_view first_letters(std::span<const std::uint8_t> file,
                                      std::array<char, 512>& buffer) {
  if (matches(file, 0, "\xEF\xBB\xBF")) file = file.subspan(3);  // says that it is UTF-8
  std::size_t count = 0;
  for (const std::uint8_t byte : file) {
    const bool is_space = byte == ' ' || (byte >= '\t' && byte <= '\r');
    if (is_space && count == 0) continue;
    if (count == buffer.size()) break;
    const bool is_capital = byte >= 'A' && byte <= 'Z';
    buffer[count++] = static_cast<char>(is_capital ? byte - 'A' + 'a' : byte);
  }
  return {buffer.data(), count};
}

/// True if a file begins like a text: no control characters, and UTF-8 if not ASCII.
inline bool is_text(std::span<const std::uint8_t> file) {
  constexpr std::size_t kEnough = 512;
  std::size_t following = 0;  // bytes of a character that are still to come
  for (std::size_t i = 0; i < std::min(kEnough, file.size()); ++i) {
    const std::uint8_t byte = file[i];
    if (following > 0) {
      if ((byte & 0xC0) != 0x80) return false;
      --following;
    } else if (byte >= 0xC2 && byte < 0xF5) {
      following = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
    } else if (byte >= 0x7F || (byte < ' ' && (byte < '\t' || byte > '\r') && byte != 0x1B)) {
      return false;
    }
  }
  return true;
}

/// True if a file holds some of these bytes and no more, which are enough to tell it from a text.
inline bool is_beginning(std::span<const std::uint8_t> file, std::string_view magic) {
  constexpr std::size_t kEnough = 4;
  return file.size() < magic.size() && matches(file, 0, magic.substr(0, file.size())) &&
         (file.size() >= kEnough || !is_text(file));
}

/// Says what a file is that is no JPEG, PNG, WebP or BMP, and the remedy.
inline std::string_view describe_file(std::span<const std::uint8_t> file) {
  using namespace std::string_view_literals;
  constexpr auto kConvertedPng =
      "this is a PNG damaged by a transfer as text; copy it again in binary"sv;
  static constexpr FileKind kKinds[] = {
      {0, "GIF8"sv, "this is GIF, which is not read; convert it to PNG"},
      {0, "II*\0"sv, "this is TIFF or a camera's raw file, which is not read; convert it to PNG"},
      {0, "MM\0*"sv, "this is TIFF or a camera's raw file, which is not read; convert it to PNG"},
      {0, "II+\0"sv, "this is BigTIFF, which is not read; convert it to PNG"},
      {0, "MM\0+"sv, "this is BigTIFF, which is not read; convert it to PNG"},
      {4, "ftypavif"sv, "this is AVIF, which is not read; convert it to JPEG or PNG"},
      {4, "ftypavis"sv, "this is AVIF, which is not read; convert it to JPEG or PNG"},
      {4, "ftyphei"sv, "this is HEIC, which is not read; convert it to JPEG or PNG"},
      {4, "ftyphev"sv, "this is HEIC, which is not read; convert it to JPEG or PNG"},
      {4, "ftypmif1????miafavif"sv, "this is AVIF, which is not read; convert it to JPEG or PNG"},
      {4, "ftypmif1????avif"sv, "this is AVIF, which is not read; convert it to JPEG or PNG"},
      {4, "ftypmif1"sv, "this is HEIC, which is not read; convert it to JPEG or PNG"},
      {4, "ftypmsf1"sv, "this is HEIC, which is not read; convert it to JPEG or PNG"},
      {4, "ftypcrx"sv, "this is a camera's raw file, which is not read; convert it to PNG"},
      {4, "ftyp"sv, "this is a film, not a picture; take a frame from it, as PNG"},
      {0, "\xFF\x0A"sv, "this is JPEG XL, which is not read; convert it to JPEG or PNG"},
      {4, "JXL \r\n\x87\n"sv, "this is JPEG XL, which is not read; convert it to JPEG or PNG"},
      {4, "jP  \r\n\x87\n"sv, "this is JPEG 2000, which is not read; convert it to JPEG or PNG"},
      {0, "\xFF\x4F\xFF\x51"sv, "this is JPEG 2000, which is not read; convert it to JPEG or PNG"},
      {0, "\xFF\xD8\xFF\xF7"sv, "this is JPEG-LS, which is not read; convert it to JPEG or PNG"},
      {0, "\x89PNG\n\x1A\n"sv, kConvertedPng},
      {0, "\x89PNG\r\x1A\r"sv, kConvertedPng},
      {0, "\x89PNG\r\n\x1A\r\n"sv, kConvertedPng},
      {0, "\x89PNG\r\r\n\x1A\r\n"sv, kConvertedPng},
      {0, "\xEF\xBF\xBDPNG"sv, kConvertedPng},
      {0, "\x8AMNG\r\n\x1A\n"sv, "this is MNG, which is not read; convert it to PNG"},
      {0, "\x8BJNG\r\n\x1A\n"sv, "this is JNG, which is not read; convert it to PNG"},
      {0, "8BPS"sv, "this is Photoshop's PSD, which is not read; export it as PNG"},
      {0, "gimp xcf"sv, "this is GIMP's XCF, which is not read; export it as PNG"},
      {0, "v/1\1"sv, "this is OpenEXR, which is not read; convert it to PNG"},
      {0, "#?RADIANCE"sv, "this is Radiance HDR, which is not read; convert it to PNG"},
      {0, "DDS "sv, "this is DDS, which is not read; convert it to PNG"},
      {0, "qoif"sv, "this is QOI, which is not read; convert it to PNG"},
      {0, "FUJIFILM"sv, "this is a camera's raw file, which is not read; convert it to PNG"},
      {0, "IIU\0"sv, "this is a camera's raw file, which is not read; convert it to PNG"},
      {0, "%PDF"sv, "this is PDF, not a picture; export the page as PNG"},
      {0, "%!PS"sv, "this is PostScript, not a picture; export it as PNG"},
      {0, "BZh"sv, "this is packed with bzip2; unpack it first"},
      {0, "PK\3\4"sv, "this is a zip archive, or weights; a picture is needed, unpacked"},
      {0, "PK\5\6"sv, "this is an empty zip archive, not a picture"},
      {0, "Rar!"sv, "this is a RAR archive; unpack it first"},
      {0, "7z\xBC\xAF\x27\x1C"sv, "this is a 7-Zip archive; unpack it first"},
      {0, "\x93NUMPY"sv, "this is an array of NumPy, not a picture"},
      {8, "{\"__metadata__\""sv, "this is safetensors, weights and not a picture"},
      {0, "RIFF????AVI "sv, "this is a film, not a picture; take a frame from it, as PNG"},
      {0, "RIFF????WAVE"sv, "this is sound, not a picture"},
      {0, "ID3"sv, "this is sound, not a picture"},
      {0, "OggS"sv, "this is sound or a film, not a picture"},
      {0, "\x1A\x45\xDF\xA3"sv, "this is a film, not a picture; take a frame from it, as PNG"},
      {0,
       "\x7F"
       "ELF"sv,
       "this is a program, not a picture"},
  };
  static constexpr FileKind kTexts[] = {
      {0, "version https://git-lfs"sv,
       "this is a Git LFS pointer, not the picture itself; fetch it with git lfs pull"},
      {0, "<!doctype html"sv, "this is an HTML page, not a picture; download the picture itself"},
      {0, "<html"sv, "this is an HTML page, not a picture; download the picture itself"},
      {0, "<head"sv, "this is an HTML page, not a picture; download the picture itself"},
      {0, "<body"sv, "this is an HTML page, not a picture; download the picture itself"},
      {0, "<svg"sv, "this is SVG, a drawing; export it as PNG"},
      {0, "data:image/"sv, "this is a data URL, not the picture itself; decode it first"},
  };
  if (file.empty()) return "this file is empty; copy or download it again";
  if (is_all_zeros(file)) return "this file holds only zeros; copy or download it again";
  for (const std::span<const FileKind> kinds :
       {std::span<const FileKind>(kKinds), std::span<const FileKind>(kPackedKinds)}) {
    if (const auto meaning = meaning_among(kinds, file); !meaning.empty()) return meaning;
  }
  // A TGA begins in the same way, but not with a number of pictures.
  const bool has_pictures = file.size() > 5 && (file[4] > 0 || file[5] > 0);
  if (has_pictures && matches(file, 0, "\0\0\1\0"sv)) {
    return "this is an icon (ICO), which is not read; convert it to PNG";
  }
  if (has_pictures && matches(file, 0, "\0\0\2\0"sv)) {
    return "this is a cursor (CUR), which is not read; convert it to PNG";
  }
  std::array<char, 512> buffer;
  const std::string_view text = first_letters(file, buffer);
  for (const FileKind& kind : kTexts) {
    if (text.starts_with(kind.magic)) return kind.meaning;
  }
  const auto holds = [&](std::string_view word) { return text.find(word) != text.npos; };
  const bool is_markup = text.starts_with("<");
  if (is_markup && holds("<svg")) return "this is SVG, a drawing; export it as PNG";
  if (is_markup && holds("<html")) {
    return "this is an HTML page, not a picture; download the picture itself";
  }
  const bool is_netpbm = file.size() > 2 && file[0] == 'P' && file[1] >= '1' && file[1] <= '7' &&
                         (file[2] == ' ' || file[2] == '\n' || file[2] == '\r');
  if (is_netpbm) return "this is PNM (PBM, PGM, PPM), which is not read; convert it to PNG";
  if (is_markup && is_text(file)) return "this is XML or HTML, not a picture";
  if (is_text(file)) return "this is text, not a picture";
  return "not a kind of picture that is known here; JPEG, PNG, WebP and BMP are read";
}

/// Says what a file is that is neither safetensors nor PyTorch's, and the remedy.
inline std::string_view describe_no_weights(std::span<const std::uint8_t> file) {
  using namespace std::string_view_literals;
  static constexpr FileKind kKinds[] = {
      {0, "\xFF\xD8\xFF"sv, "this is a picture, not weights"},
      {0, "\x89PNG"sv, "this is a picture, not weights"},
      {0, "RIFF????WEBP"sv, "this is a picture, not weights"},
      {0, "\x93NUMPY"sv, "this is one array of NumPy; save the weights by name, as safetensors"},
      {0, "\x89HDF"sv, "this is HDF5, which is not read; save the weights as safetensors"},
      {0, "MATLAB"sv, "this is MATLAB's, which is not read; save the weights as safetensors"},
      {0, "GGUF"sv, "this is GGUF, which is not read; save the weights as safetensors"},
      {2, "VGG_ILSVRC"sv, "this is a model of Caffe, which is not read; save it as safetensors"},
      {0, "\x12\1\0\0\0\0\0\0"sv, "this is MXNet's, which is not read; save it as safetensors"},
  };
  if (file.empty()) return "this file is empty; copy or download it again";
  if (is_all_zeros(file)) {
    return "this file begins with nothing but zeros; copy or download it again";
  }
  for (const std::span<const FileKind> kinds :
       {std::span<const FileKind>(kKinds), std::span<const FileKind>(kPackedKinds)}) {
    if (const auto meaning = meaning_among(kinds, file); !meaning.empty()) return meaning;
  }
  std::array<char, 512> buffer;
  const std::string_view text = first_letters(file, buffer);
  if (text.starts_with("version https://git-lfs")) {
    return "this is a Git LFS pointer, not the weights themselves; fetch them with git lfs pull";
  }
  if (text.starts_with("<")) return "this is an HTML page, not weights; download the file itself";
  if (is_text(file)) return "this is text, not weights";
  return "neither safetensors nor a file of PyTorch";
}

}  // namespace sfumato::io::detail
