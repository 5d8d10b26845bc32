import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.jar.JarFile;

/**
 * Prints the options that Flink's own classes declare, one a line, for build.py.
 *
 * <p>A line has the key, the type, whether it is a list, the constants of an enum (by "|"), the
 * other keys that Flink reads it from (by "|"), and the class and field that declare it; by tabs.
 * The arguments are the jars, which must be on the class path, too.
 */
public final class ReadOptions {

    private static final String OPTION = "org.apache.flink.configuration.ConfigOption";

    private ReadOptions() {}

    public static void main(String[] jars) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        TreeSet<String> lines = new TreeSet<>();
        for (String jar : jars) {
            for (String name : classes(jar)) {
                read(name, lines);
            }
        }
        lines.forEach(out::println);
    }

    private static List<String> classes(String jar) throws Exception {
        List<String> names = new ArrayList<>();
        try (JarFile file = new JarFile(jar)) {
            file.stream()
                    .map(entry -> entry.getName())
                    .filter(name -> name.startsWith("org/apache/flink/") && name.endsWith(".class"))
                    .filter(name -> !name.contains("/shaded/"))
                    .forEach(name -> names.add(name.replace('/', '.').replaceAll("\\.class$", "")));
        }
        return names;
    }

    private static void read(String name, TreeSet<String> lines) {
        Field[] fields;
        try {
            ClassLoader loader = ReadOptions.class.getClassLoader();
            fields = Class.forName(name, false, loader).getDeclaredFields();
        } catch (LinkageError | ClassNotFoundException absent) {
            return; // a class for a library that is not there: none of those declares options
        }
        for (Field field : fields) {
            if (!Modifier.isStatic(field.getModifiers())
                    || !field.getType().getName().equals(OPTION)) {
                continue;
            }
            try {
                field.setAccessible(true);
                Object option = field.get(null);
                if (option != null) {
                    lines.add(line(option, name + "#" + field.getName()));
                }
            } catch (LinkageError | ReflectiveOperationException failed) {
                System.err.println(name + "#" + field.getName() + ": " + failed);
            }
        }
    }

    private static String line(Object option, String declared) throws ReflectiveOperationException {
        Class<?> type = (Class<?>) call(option, "getClazz");
        List<String> constants = new ArrayList<>();
        if (type.isEnum()) {
            for (Object constant : type.getEnumConstants()) {
                constants.add(constant.toString());
            }
        }
        List<String> others = new ArrayList<>();
        for (Object other : (Iterable<?>) call(option, "fallbackKeys")) {
            others.add((String) call(other, "getKey"));
        }
        return String.join(
                "\t",
                (String) call(option, "key"),
                type.isEnum() ? "Enum" : type.getSimpleName(),
                String.valueOf(call(option, "isList")),
                String.join("|", constants),
                String.join("|", others),
                declared);
    }

    private static Object call(Object object, String method) throws ReflectiveOperationException {
        Method found = object.getClass().getDeclaredMethod(method);
        found.setAccessible(true);
        return found.invoke(object);
    }
}
