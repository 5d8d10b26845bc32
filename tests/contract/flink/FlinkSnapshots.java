import org.apache.flink.runtime.checkpoint.Checkpoints;
import org.apache.flink.runtime.checkpoint.OperatorState;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.checkpoint.metadata.CheckpointMetadata;
import org.apache.flink.runtime.checkpoint.metadata.MetadataSerializers;
import org.apache.flink.runtime.checkpoint.metadata.MetadataV2V3SerializerBase;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Reads {@code _metadata} files with Flink's own classes, for record_snapshots.py.
 *
 * <p>{@code read FILE…} prints a line for each operator: the file's number, id, parallelism, max
 * parallelism, subtasks, finished subtasks, whether all have finished, whether it has state by
 * Flink's rule for a program that lacks it, and bytes of state. {@code write VERSION FROM TO} writes
 * a file anew in an older version of the format.
 */
public final class FlinkSnapshots {

    private FlinkSnapshots() {}

    public static void main(String[] args) throws Exception {
        if (args[0].equals("write")) {
            write(Integer.parseInt(args[1]), Path.of(args[2]), Path.of(args[3]));
            return;
        }
        for (int number = 1; number < args.length; number++) {
            for (OperatorState operator : load(Path.of(args[number])).getOperatorStates()) {
                System.out.println(number - 1 + " " + line(operator));
            }
        }
    }

    private static CheckpointMetadata load(Path file) throws Exception {
        try (DataInputStream in = new DataInputStream(Files.newInputStream(file))) {
            return Checkpoints.loadCheckpointMetadata(
                    in, FlinkSnapshots.class.getClassLoader(), file.getParent().toUri().toString());
        }
    }

    private static String line(OperatorState operator) {
        int finished = 0;
        boolean hasState = operator.getCoordinatorState() != null;
        for (OperatorSubtaskState subtask : operator.getStates()) {
            finished += subtask.isFinished() ? 1 : 0;
            hasState |= subtask.hasState();
        }
        return String.join(
                " ",
                operator.getOperatorID().toHexString(),
                Integer.toString(operator.getParallelism()),
                Integer.toString(operator.getMaxParallelism()),
                Integer.toString(operator.getStates().size()),
                Integer.toString(finished),
                Boolean.toString(operator.isFullyFinished()),
                Boolean.toString(hasState),
                Long.toString(operator.getStateSize()));
    }

    private static void write(int version, Path from, Path to) throws Exception {
        CheckpointMetadata metadata = load(from);
        try (DataOutputStream out = new DataOutputStream(Files.newOutputStream(to))) {
            out.writeInt(Checkpoints.HEADER_MAGIC_NUMBER);
            out.writeInt(version);
            if (version > 2) {
                MetadataSerializers.getSerializer(version).serialize(metadata, out);
                return;
            }
            // The public method of version 2 refuses, since Flink writes it no longer.
            Method serialize =
                    MetadataV2V3SerializerBase.class.getDeclaredMethod(
                            "serializeMetadata", CheckpointMetadata.class, DataOutputStream.class);
            serialize.setAccessible(true);
            serialize.invoke(MetadataSerializers.getSerializer(version), metadata, out);
        }
    }
}
