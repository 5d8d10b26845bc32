import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import org.apache.flink.configuration.MemorySize;

/**
 * Tells which values Flink itself can parse, for build.py.
 *
 * <p>Reads a type and a value a line, by a tab; prints "yes" or "no" for each.
 */
public final class ParseValues {

    /** An enum whose constants are told apart as those of Flink's options are. */
    public enum Choice {
        EXACTLY_ONCE,
        AT_LEAST_ONCE
    }

    private static final Map<String, Class<?>> TYPES =
            Map.of(
                    "boolean", Boolean.class,
                    "integer", Integer.class,
                    "long", Long.class,
                    "float", Float.class,
                    "double", Double.class,
                    "duration", Duration.class,
                    "memory", MemorySize.class,
                    "enum AT_LEAST_ONCE|EXACTLY_ONCE", Choice.class);

    private ParseValues() {}

    public static void main(String[] arguments) throws Exception {
        Method convert =
                Class.forName("org.apache.flink.configuration.ConfigurationUtils")
                        .getDeclaredMethod("convertValue", Object.class, Class.class);
        convert.setAccessible(true);
        InputStreamReader input = new InputStreamReader(System.in, StandardCharsets.UTF_8);
        for (String line : (Iterable<String>) new BufferedReader(input).lines()::iterator) {
            String[] fields = line.split("\t", -1);
            boolean parsed = true;
            try {
                convert.invoke(null, fields[1], TYPES.get(fields[0]));
            } catch (java.lang.reflect.InvocationTargetException refused) {
                parsed = false;
            }
            System.out.println(parsed ? "yes" : "no");
        }
    }
}
