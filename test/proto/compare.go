// Compares the messages and enums of src/proto with the official Go packages
// of the API.  What we declare must be there, and be the same in every detail
// that the wire or JSON shows; a message or enum of ours must also be complete.
//
// usage: compare DESCRIPTOR_SET
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	// Linking a package registers its descriptors; the services bring in
	// everything that their messages refer to.
	_ "go.temporal.io/api/errordetails/v1"
	_ "go.temporal.io/api/operatorservice/v1"
	_ "go.temporal.io/api/workflowservice/v1"
	_ "google.golang.org/genproto/googleapis/rpc/status"
	_ "google.golang.org/grpc/health/grpc_health_v1"
	_ "google.golang.org/protobuf/types/known/anypb"
	_ "google.golang.org/protobuf/types/known/durationpb"
	_ "google.golang.org/protobuf/types/known/emptypb"
	_ "google.golang.org/protobuf/types/known/fieldmaskpb"
	_ "google.golang.org/protobuf/types/known/timestamppb"
	_ "google.golang.org/protobuf/types/known/wrapperspb"
)

var (
	differences                     []string
	files, messages, fields, values int
)

func differ(format string, args ...any) {
	differences = append(differences, fmt.Sprintf(format, args...))
}

// official finds what the Go packages declare under a name of ours.
func official[T protoreflect.Descriptor](ours T) (T, bool) {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(ours.FullName())
	theirs, ok := d.(T)
	if err != nil || !ok {
		differ("%s: not in the official API", ours.FullName())
		return theirs, false
	}
	return theirs, true
}

// describe spells out a field, so that two of them can be compared as text.
func describe(f protoreflect.FieldDescriptor) string {
	var s strings.Builder

	fmt.Fprintf(&s, "%s = %d %s", f.Name(), f.Number(), f.Cardinality())
	switch {
	case f.IsMap():
		fmt.Fprintf(&s, " map<%s, %s>", kind(f.MapKey()), kind(f.MapValue()))
	default:
		fmt.Fprintf(&s, " %s", kind(f))
	}
	if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() {
		fmt.Fprintf(&s, " oneof(%s)", o.Name())
	}
	if f.HasOptionalKeyword() {
		s.WriteString(" optional")
	}
	if f.HasPresence() {
		s.WriteString(" presence")
	}
	if f.IsPacked() {
		s.WriteString(" packed")
	}
	fmt.Fprintf(&s, " json(%s)", f.JSONName())
	return s.String()
}

func kind(f protoreflect.FieldDescriptor) string {
	switch {
	case f.Message() != nil:
		return "message " + string(f.Message().FullName())
	case f.Enum() != nil:
		return "enum " + string(f.Enum().FullName())
	}
	return f.Kind().String()
}

func compareMessages(list protoreflect.MessageDescriptors) {
	for i := 0; i < list.Len(); i++ {
		ours := list.Get(i)
		if ours.IsMapEntry() {
			continue
		}
		messages++
		if theirs, ok := official(ours); ok {
			compareFields(ours, theirs)
		}
		compareMessages(ours.Messages())
		compareEnums(ours.Enums())
	}
}

func compareFields(ours, theirs protoreflect.MessageDescriptor) {
	for i := 0; i < ours.Fields().Len(); i++ {
		f := ours.Fields().Get(i)
		fields++
		g := theirs.Fields().ByNumber(f.Number())
		if g == nil {
			differ("%s: field %d is not in the official message", f.FullName(), f.Number())
		} else if a, b := describe(f), describe(g); a != b {
			differ("%s: ours is %q, official is %q", f.FullName(), a, b)
		}
	}
	for i := 0; i < theirs.Fields().Len(); i++ {
		g := theirs.Fields().Get(i)
		if ours.Fields().ByNumber(g.Number()) == nil {
			differ("%s: field %d is missing in ours", g.FullName(), g.Number())
		}
	}
}

func compareEnums(list protoreflect.EnumDescriptors) {
	for i := 0; i < list.Len(); i++ {
		ours := list.Get(i)
		theirs, ok := official(ours)
		if !ok {
			continue
		}
		values += ours.Values().Len()
		compareValues(ours, theirs, "is not in the official enum")
		compareValues(theirs, ours, "is missing in ours")
	}
}

// compareValues looks for every value of one enum in the other.
func compareValues(from, in protoreflect.EnumDescriptor, missing string) {
	for i := 0; i < from.Values().Len(); i++ {
		v := from.Values().Get(i)
		if w := in.Values().ByName(v.Name()); w == nil || w.Number() != v.Number() {
			differ("%s: %s = %d %s", from.FullName(), v.Name(), v.Number(), missing)
		}
	}
}

// readFiles links the descriptor set apart from what this program registered.
func readFiles(path string) (*protoregistry.Files, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	set := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(data, set); err != nil {
		return nil, err
	}
	return protodesc.NewFiles(set)
}

// isAPI tells files of the API from protoc's own and from our internal ones.
func isAPI(f protoreflect.FileDescriptor) bool {
	return !strings.Contains(f.Path(), "/") &&
		!strings.HasPrefix(string(f.Package())+".", "temporal.internal.")
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: compare DESCRIPTOR_SET")
		os.Exit(2)
	}
	ours, err := readFiles(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ours.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if isAPI(f) {
			files++
			compareMessages(f.Messages())
			compareEnums(f.Enums())
		}
		return true
	})

	sort.Strings(differences)
	for _, d := range differences {
		fmt.Println(d)
	}
	fmt.Printf("proto: %d files, %d messages, %d fields, %d enum values, %d differences\n",
		files, messages, fields, values, len(differences))
	if len(differences) > 0 || fields == 0 {
		os.Exit(1)
	}
}
