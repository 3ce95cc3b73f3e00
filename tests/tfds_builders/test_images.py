"""Odd files against Pillow, and against pixels that are known."""

import io
import os

import numpy as np
import pytest
from PIL import Image, ImageOps

from jaxsent.data import augment
from jaxsent.errors import UserError
from tests.tfds_builders import trees
from tfds_builders import images

SMOOTH = np.stack(np.meshgrid(np.arange(24) * 9, np.arange(32) * 7, indexing="ij") * 2, -1)
SMOOTH = SMOOTH[..., :3].astype(np.uint8)  # (24, 32, 3): what JPEG keeps nearly as it is


def saved(path, picture, **options):
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    picture.save(path, **options)
    return path


def opened(path):
    return Image.open(io.BytesIO(path.read_bytes()))


def stored(path):
    """The picture that is stored for a file, as Pillow and as jaxsent read it."""
    data = images.encoded(path, path.parent)
    picture = Image.open(io.BytesIO(data))
    assert picture.mode in ("RGB", "L")
    assert picture.getexif().get(0x0112, 1) == 1
    pillow = np.asarray(picture.convert("RGB"))
    ours = augment.decode(data)
    assert np.abs(pillow.astype(int) - ours).max() <= (3 if picture.format == "JPEG" else 0)
    look = images.look(path, path.parent)
    assert (look.height, look.width) == pillow.shape[:2]
    assert look.digest == images.digest(data)
    assert look.plain == (data == path.read_bytes())
    return pillow


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_ordinary_files_are_kept_byte_for_byte(tmp_path, mode, suffix):
    path = saved(tmp_path / f"a{suffix}", Image.fromarray(SMOOTH).convert(mode))
    assert images.encoded(path, tmp_path) == path.read_bytes()
    stored(path)


def test_progressive_jpeg_and_trailing_bytes_are_ordinary(tmp_path):
    path = saved(tmp_path / "a.jpg", SMOOTH, progressive=True)
    path.write_bytes(path.read_bytes() + b"\0" * 100)
    assert images.encoded(path, tmp_path) == path.read_bytes()


@pytest.mark.parametrize("turn", range(2, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_rotated_photographs_are_turned_upright(tmp_path, suffix, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    path = saved(tmp_path / f"a{suffix}", SMOOTH, exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(opened(path)))
    np.testing.assert_array_equal(stored(path), upright)
    assert images.look(path, tmp_path).turn == turn


def test_transparency_lies_on_white_whatever_the_name(tmp_path):
    rgba = np.zeros((6, 8, 4), np.uint8)
    rgba[:3] = (200, 0, 0, 255)
    expected = np.full((6, 8, 3), 255, np.uint8)
    expected[:3] = (200, 0, 0)
    path = saved(tmp_path / "a.jpg", rgba, format="PNG")
    np.testing.assert_array_equal(stored(path), expected)
    palette = Image.fromarray(expected).quantize(4)
    clear = palette.getpixel((0, 5))
    path = saved(tmp_path / "palette.png", palette, transparency=palette.getpixel((0, 0)))
    assert (stored(path) == 255).all()
    path = saved(tmp_path / "a.gif", palette, transparency=clear)
    np.testing.assert_array_equal(stored(path), expected)


def test_cmyk_jpeg(tmp_path):
    path = saved(tmp_path / "a.jpg", Image.fromarray(SMOOTH).convert("CMYK"), quality=95)
    assert opened(path).mode == "CMYK"
    assert np.abs(stored(path).astype(int) - SMOOTH).mean() < 6


@pytest.mark.parametrize("top", [65535, 257])
def test_sixteen_bit_grey_keeps_its_range(tmp_path, top):
    values = np.linspace(0, top, 24 * 32).reshape(24, 32).astype(np.uint16)
    path = saved(tmp_path / "a.png", values)
    np.testing.assert_allclose(stored(path)[..., 0], values / 257, atol=0.5)


def test_sixteen_bit_colour(tmp_path):
    import cv2

    path = tmp_path / "a.png"
    cv2.imwrite(str(path), SMOOTH[..., ::-1].astype(np.uint16) * 257)
    np.testing.assert_array_equal(stored(path), SMOOTH)


def test_palette(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(SMOOTH).quantize(16))
    np.testing.assert_array_equal(stored(path), opened(path).convert("RGB"))


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_first_frame_of_an_animation(tmp_path, suffix):
    frames = [Image.fromarray(np.full((6, 8, 3), v, np.uint8)) for v in (255, 128, 0)]
    options = {"lossless": True} if suffix == ".webp" else {}
    path = tmp_path / f"a{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    assert opened(path).n_frames == 3
    assert (stored(path) == 255).all()


@pytest.mark.parametrize("suffix", [".bmp", ".webp"])
def test_other_formats_become_png(tmp_path, suffix):
    path = saved(tmp_path / f"a{suffix}", SMOOTH)
    np.testing.assert_array_equal(stored(path), opened(path))
    assert images.encoded(path, tmp_path).startswith(b"\x89PNG")


def test_a_jpeg_of_several_pictures_is_ordinary(tmp_path):
    other = Image.fromarray(SMOOTH[::-1].copy())
    path = tmp_path / "phone.jpg"
    Image.fromarray(SMOOTH).save(path, "MPO", save_all=True, append_images=[other], quality=95)
    assert opened(path).n_frames == 2
    assert images.encoded(path, tmp_path) == path.read_bytes()
    assert np.abs(stored(path).astype(int) - SMOOTH).mean() < 2


def test_a_large_rotated_jpeg_stays_a_jpeg(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    large = np.asarray(Image.fromarray(SMOOTH).resize((1200, 900)))
    path = saved(tmp_path / "a.jpg", large, exif=exif)
    data = images.encoded(path, tmp_path)
    picture = Image.open(io.BytesIO(data))
    assert (picture.format, picture.size) == ("JPEG", (900, 1200))
    upright = np.asarray(ImageOps.exif_transpose(opened(path))).astype(int)
    assert np.abs(np.asarray(picture) - upright).mean() < 1


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".webp", ".bmp"])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.95])
def test_cut_short(tmp_path, suffix, kept, capfd):
    path = saved(tmp_path / f"a b{suffix}", trees.noise("a", 40, 60))
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(UserError, match="a b"):
        images.encoded(path, tmp_path)
    assert capfd.readouterr() == ("", "")


def test_a_thumbnails_end_is_not_the_photographs(tmp_path):
    thumbnail, path = io.BytesIO(), tmp_path / "a.jpg"
    Image.fromarray(SMOOTH).save(thumbnail, "JPEG")
    saved(path, trees.noise("a", 40, 60), exif=b"Exif\0\0" + thumbnail.getvalue())
    data = path.read_bytes()
    assert data.count(b"\xff\xd9") == 2
    images.encoded(path, tmp_path)
    path.write_bytes(data[:-2])
    with pytest.raises(UserError, match="cut short"):
        images.encoded(path, tmp_path)


def test_what_is_no_image(tmp_path):
    (tmp_path / "page.jpg").write_text("<html>not found</html>")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "circle.jpg").symlink_to(tmp_path / "circle.jpg")
    for name in ("circle.jpg", "page.jpg", "pipe.jpg", "folder.jpg", "absent.jpg"):
        with pytest.raises(UserError, match=name):
            images.encoded(tmp_path / name, tmp_path)


def test_links_out_of_the_tree_are_refused(tmp_path):
    trees.photograph(tmp_path / "secret.jpg")
    trees.photograph(tmp_path / "root" / "a.jpg")
    root = tmp_path / "root"
    (root / "out.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "in.jpg").symlink_to(root / "a.jpg")
    (root / "folder").symlink_to(tmp_path)
    for path in (root / "out.jpg", root / "folder" / "secret.jpg", root / ".." / "secret.jpg"):
        with pytest.raises(UserError, match="symbolic link that leads out"):
            images.encoded(path, root)
    assert images.encoded(root / "in.jpg", root) == (root / "a.jpg").read_bytes()
    (tmp_path / "link").symlink_to(root)
    images.encoded(tmp_path / "link" / "a.jpg", tmp_path / "link")


def test_digest_is_of_pixels(tmp_path):
    plain, noted = io.BytesIO(), io.BytesIO()
    Image.fromarray(SMOOTH).save(plain, "PNG")
    Image.fromarray(SMOOTH).save(noted, "BMP")
    assert images.digest(plain.getvalue()) == images.digest(noted.getvalue())
    other = io.BytesIO()
    Image.fromarray(SMOOTH.transpose(1, 0, 2)).save(other, "PNG")
    assert images.digest(other.getvalue()) != images.digest(plain.getvalue())
