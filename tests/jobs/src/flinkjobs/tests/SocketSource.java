package flinkjobs.tests;

import flinkjobs.numbers.Arguments;

import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

import java.util.List;

/**
 * Prints lines that it reads from {@code --port} of this machine, without checkpoints: as Flink's
 * own SocketWindowWordCount it fails where nobody listens, once all its tasks run.
 */
public final class SocketSource {

    private SocketSource() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = Arguments.of(args, List.of("port"));
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.socketTextStream("127.0.0.1", (int) arguments.number("port", 1, 1))
                .print()
                .name("lines");
        env.execute("socket");
    }
}
