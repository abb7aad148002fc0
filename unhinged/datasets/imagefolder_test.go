package datasets

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func encodePNG(t *testing.T, picture image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// noise returns a picture of random colours.
func noise(random *rand.Rand, width, height int) *image.NRGBA {
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			picture.SetNRGBA(x, y, color.NRGBA{uint8(random.Uint32()), uint8(random.Uint32()), uint8(random.Uint32()),
				255})
		}
	}
	return picture
}

func TestImageFolder(t *testing.T) {
	t.Setenv("UNHINGED_DATA", t.TempDir())
	random := rand.New(rand.NewPCG(1, 9))
	for _, testFolder := range []string{"val", "test"} {
		folder := t.TempDir()
		const size = 5
		var want [2]map[string]uint8 // from pixels to label
		for part, name := range []string{"train", testFolder} {
			want[part] = map[string]uint8{}
			for class, className := range []string{"n01", "n02", "n10"} {
				for i := range 40 {
					// One side equals size, so that no pixel changes and the result must be the middle of the other
					// side.
					width, height := size, size+random.IntN(6)
					if i%2 == 0 {
						width, height = height, width
					}
					picture := noise(random, width, height)
					write(t, filepath.Join(folder, name, className),
						string(rune('a'+i/26))+string(rune('a'+i%26))+".png", encodePNG(t, picture))
					var pixels []uint8
					for y := range size {
						for x := range size {
							c := picture.NRGBAAt(x+(width-size)/2, y+(height-size)/2)
							pixels = append(pixels, c.R, c.G, c.B)
						}
					}
					want[part][string(pixels)] = uint8(class)
				}
			}
		}
		write(t, filepath.Join(folder, "train", "n02"), ".DS_Store", nil)
		d, err := OpenImageFolder(folder, size)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(d.Classes, []string{"n01", "n02", "n10"}) || d.Train.Size() != 75 {
			t.Errorf("classes %v, images of %d values", d.Classes, d.Train.Size())
		}
		for part, images := range []Images{d.Train, d.Test} {
			if images.Len() != 120 {
				t.Fatalf("%d images", images.Len())
			}
			for i, label := range images.Labels {
				if class, found := want[part][string(images.Pixels[75*i:75*(i+1)])]; !found || class != label {
					t.Errorf("image %d has label %d, should have %d; or other pixels than were written", i, label,
						class)
				}
				delete(want[part], string(images.Pixels[75*i:75*(i+1)])) // each image must come once
			}
		}
		// The first images are of all classes, and the order is the same at another size.
		if first := d.Train.First(24).ClassCounts(3); slices.Min(first) == 0 {
			t.Errorf("of the first 24 images %v are of each class", first)
		}
		if smaller, err := OpenImageFolder(folder, 3); err != nil || !bytes.Equal(smaller.Train.Labels,
			d.Train.Labels) {
			t.Errorf("at another size they come in another order; error %v", err)
		}
		// An added image is noticed.
		write(t, filepath.Join(folder, "train", "n10"), "z.png", encodePNG(t, noise(random, 9, 9)))
		if d, err := OpenImageFolder(folder, size); err != nil || d.Train.Len() != 121 {
			t.Errorf("%v images after one was added, error %v", d, err)
		}
	}
}

func TestImagesAreScaled(t *testing.T) {
	// The columns are: 20 of red, 20 of green, 20 of blue, 20 of red. So the middle square of the 80×40 picture is half
	// green and half blue at any scale. JPEG slightly blurs the edges of the colours.
	picture := image.NewNRGBA(image.Rect(0, 0, 80, 40))
	for y := range 40 {
		for x := range 80 {
			picture.Set(x, y, map[int]color.Color{0: color.NRGBA{255, 0, 0, 255}, 1: color.NRGBA{0, 255, 0, 255},
				2: color.NRGBA{0, 0, 255, 255}, 3: color.NRGBA{255, 0, 0, 255}}[x/20])
		}
	}
	var blurred bytes.Buffer
	if err := jpeg.Encode(&blurred, picture, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write(t, folder, "a", encodePNG(t, picture))
	write(t, folder, "b", blurred.Bytes())
	for _, name := range []string{"a", "b"} {
		for _, size := range []int{8, 40, 100} {
			pixels, err := decodeImage(filepath.Join(folder, name), size)
			if err != nil {
				t.Fatal(err)
			}
			at := func(x, y int) []uint8 { return pixels[(y*size+x)*3 : (y*size+x)*3+3] }
			for _, y := range []int{0, size / 2, size - 1} {
				if left, right := at(size/4, y), at(size-1-size/4, y); left[1] < 240 || left[0] > 15 || left[2] > 15 ||
					right[2] < 240 || right[0] > 15 || right[1] > 15 {
					t.Errorf("%s at size %d: %v left and %v right; should be green and blue", name, size, left, right)
				}
			}
		}
	}
	// Scaling down takes the mean of the pixels that become one pixel, so that a fine chequerboard becomes grey,
	// without black or white pixels.
	board := image.NewGray(image.Rect(0, 0, 64, 64))
	for i := range board.Pix {
		board.Pix[i] = uint8(255 * ((i + i/64) % 2))
	}
	write(t, folder, "c", encodePNG(t, board))
	pixels, err := decodeImage(filepath.Join(folder, "c"), 8)
	if err != nil {
		t.Fatal(err)
	}
	if low, high := slices.Min(pixels), slices.Max(pixels); low < 120 || high > 135 {
		t.Errorf("a chequerboard becomes values from %d to %d; should be near 127", low, high)
	}
}

func TestImageFolderRefuses(t *testing.T) {
	t.Setenv("UNHINGED_DATA", t.TempDir())
	whole := encodePNG(t, noise(rand.New(rand.NewPCG(1, 1)), 9, 9))
	for message, change := range map[string]func(folder string){
		"readme.txt: image: unknown format": func(folder string) {
			write(t, filepath.Join(folder,
				"train", "a"), "readme.txt", []byte("hello"))
		},
		"val/b/1.png: png: invalid format: not enough pixel data": func(folder string) {
			write(t, filepath.Join(folder,
				"val", "b"), "1.png", whole[:100])
		},
		"train/c has no images": func(folder string) {
			os.Mkdir(filepath.Join(folder,
				"train", "c"), 0o755)
		},
		"a/sub is not a file": func(folder string) {
			write(t, filepath.Join(folder,
				"train", "a", "sub"), "1.png", whole)
		},
		"nothing but folders of classes in": func(folder string) {
			write(t, filepath.Join(folder,
				"train"), "list.txt", nil)
		},
		"has classes a, b, c, and the training image": func(folder string) {
			write(t, filepath.Join(folder,
				"val", "c"), "1.png", whole)
		},
		"there should be " +
			"train/CLASS/IMAGE": func(folder string) {
			os.RemoveAll(filepath.Join(folder,
				"val"))
		},
		"has 0 folders of classes; a classifier needs at least 2": func(folder string) {
			os.RemoveAll(filepath.Join(folder, "train", "a"))
			os.RemoveAll(filepath.Join(folder, "train", "b"))
		},
	} {
		folder := t.TempDir()
		for _, class := range []string{"train/a", "train/b", "val/a", "val/b"} {
			write(t, filepath.Join(folder, class), "1.png", whole)
		}
		change(folder)
		_, err := OpenImageFolder(folder, 4)
		wantError(t, err, message)
		if strings.Contains(err.Error(), "UNHINGED_DATA") {
			t.Errorf("%v: the remedy is that of another error", err)
		}
	}
	_, err := OpenImageFolder(t.TempDir(), 0)
	wantError(t, err, "the side must be from 1 to 4096")
}

func TestImagesAllocateForContentNotForPromises(t *testing.T) {
	promise := bytes.Clone(encodePNG(t, noise(rand.New(rand.NewPCG(1, 1)), 9, 9)))
	copy(promise[16:24], "\x00\x01\x00\x00\x00\x01\x00\x00") // 65536×65536 pixels of 4 bytes each
	binary.BigEndian.PutUint32(promise[29:], crc32.ChecksumIEEE(promise[12:29]))
	folder := t.TempDir()
	write(t, folder, "large.png", promise)
	_, err := decodeImage(filepath.Join(folder, "large.png"), 4)
	wantError(t, err, "large.png: an image of 65536×65536 pixels takes more than 512 MiB")
}

// TestDecodingKeepsToItsBudget checks that an image waits until there is enough memory in the budget for it.
func TestDecodingKeepsToItsBudget(t *testing.T) {
	const side = 9000
	var content bytes.Buffer
	if err := png.Encode(&content, image.NewPaletted(image.Rect(0, 0, side, 9),
		color.Palette{color.Black})); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write(t, folder, "wide.png", content.Bytes())
	if err := decoding.Acquire(t.Context(), decodeBudget-4*side*9+1); err != nil { // one byte too few is left
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { _, err := decodeImage(filepath.Join(folder, "wide.png"), 4); done <- err }()
	select {
	case err := <-done:
		t.Fatalf("decoded beyond the budget, error %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	decoding.Release(decodeBudget - 4*side*9 + 1)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func FuzzDecodeImage(f *testing.F) {
	picture := noise(rand.New(rand.NewPCG(1, 1)), 9, 6)
	var lossy, lossless, grey bytes.Buffer
	jpeg.Encode(&lossy, picture, nil)
	png.Encode(&lossless, picture)
	png.Encode(&grey, image.NewGray16(image.Rect(0, 0, 1, 5)))
	f.Add(lossy.Bytes())
	f.Add(lossless.Bytes())
	f.Add(grey.Bytes())
	f.Fuzz(func(t *testing.T, content []byte) {
		if config, _, err := image.DecodeConfig(bytes.NewReader(content)); err == nil &&
			config.Width*config.Height > 1<<20 {
			t.Skip("allowed, but too large to try thousands of")
		}
		folder := t.TempDir()
		write(t, folder, "picture", content)
		pixels, err := decodeImage(filepath.Join(folder, "picture"), 3)
		if err == nil && len(pixels) != 27 || err != nil && !strings.Contains(err.Error(), folder) {
			t.Errorf("%d values, error %v", len(pixels), err)
		}
	})
}
